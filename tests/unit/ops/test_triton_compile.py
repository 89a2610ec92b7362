"""The Triton kernels, compiled ahead of time for GPUs that are not there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")
KERNELS = (
    "tile_ends_kernel",
    "outputs_kernel",
    "tile_states_kernel",
    "gradients_kernel",
    "carry_kernel",
)
# A multiprocessor has 65536 registers; 9 warps of 32 threads are in flight with this many.
MOST_REGISTERS = 216


@pytest.fixture(scope="module")
def needs(repository: Path) -> dict[str, dict[str, int]]:
    """Compile in a process where Triton does not interpret."""
    if not (repository / "benchmarks" / "gpu" / "resources.py").exists():
        pytest.skip("runs from the root of the checkout")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "benchmarks.gpu.resources"]
    done = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_register_spills(kernel: str, needs: dict[str, dict[str, int]]) -> None:
    mine = {name: need for name, need in needs.items() if name.startswith(kernel)}
    assert len(mine) == 8  # two architectures, N = 1 and 16, sequences and maps
    assert {name: need for name, need in mine.items() if need["stack"] or need["local"]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_registers_leave_room_for_nine_warps(kernel: str, needs: dict[str, dict[str, int]]) -> None:
    most = max(need["reg"] for name, need in needs.items() if name.startswith(kernel))
    assert most <= MOST_REGISTERS
