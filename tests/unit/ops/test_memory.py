"""The allocator option, in a process of its own since nothing undoes it."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import torch
from rsmamba.ops.memory import keep_large_blocks

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(2**24).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
before, told = faults(), keep_large_blocks()
for _ in range(12):  # the heap settles after a few
    faults()
print(before, told, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_blocks_are_not_mapped_again_and_again() -> None:
    run = [sys.executable, "-c", SCRIPT]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    before, told, after = output.split()
    assert told == "True"
    assert int(after) < int(before) / 4
