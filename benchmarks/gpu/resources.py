"""Compile the Triton kernels ahead of time and report what they need; takes no GPU.

Prints one JSON object with registers and bytes of stack, shared and local memory for each kernel,
architecture and problem. Stack or local memory means that registers spilled. Run it with
``python -m benchmarks.gpu.resources``; TRITON_INTERPRET must not be set.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import triton
from triton import KernelInterface
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from rsmamba.ops.triton_kernels import triton_backward, triton_carry, triton_forward
from rsmamba.ops.triton_kernels.plan import (
    BACKWARD,
    CARRY_CHANNELS,
    CARRY_TILES,
    FORWARD,
    Tiling,
)

ARCHITECTURES = (80, 90)
# N and R of sequences with given step sizes, and of maps with low-rank step sizes.
PROBLEMS = ((1, 0), (16, 0), (1, 12), (16, 12))
_NUMBERS = {"L", "D", "K", "num_tiles", "num_kept", "num_sequences", "stride"}


def kernels(states: int, rank: int) -> Iterator[tuple[KernelInterface[Any], dict[str, Any], int]]:
    """Return each kernel with its constants and its warps.

    Args:
        states: States N.
        rank: Rank R of the step size on a map, or 0 for sequences.

    Yields:
        Kernel, constants by name, number of warps.
    """
    yield triton_forward.tile_ends_kernel, _constants(states, rank, FORWARD), 1
    yield triton_forward.outputs_kernel, _constants(states, rank, FORWARD), 1
    backward = _constants(states, rank, BACKWARD)
    tiles = {"TILES": BACKWARD.tiles_per_chunk}
    yield triton_backward.tile_states_kernel, backward | tiles, 1
    yield triton_backward.gradients_kernel, backward, 1
    carry = {"N": states, "REVERSE": False, "TILES": CARRY_TILES, "BLOCK": CARRY_CHANNELS}
    yield triton_carry.carry_kernel, carry, 4


def usage(
    kernel: KernelInterface[Any], constants: dict[str, Any], *, architecture: int, warps: int
) -> dict[str, int]:
    """Compile a kernel for float32 inputs and 16-byte aligned channels.

    Args:
        kernel: What to compile.
        constants: Its constants by name.
        architecture: Compute capability, 90 for 9.0.
        warps: Warps of a program.

    Returns:
        Registers of a thread and bytes of stack, shared and local memory.
    """
    signature = {name: _type(name, constants) for name in kernel.arg_names}
    aligned = [["tt.divisibility", 16]]
    attributes = {
        (index,): aligned
        for index, (name, type_) in enumerate(signature.items())
        if type_.startswith("*") or name == "D"
    }
    source = ASTSource(kernel, signature=signature, constexprs=constants, attrs=attributes)
    options = {"num_warps": warps, "num_stages": 1, "enable_fp_fusion": True}
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(compiled.asm["cubin"])
        text = _cuobjdump(file.name)
    fields = re.findall(r"\b(REG|STACK|SHARED|LOCAL):(\d+)", text)
    return {name.lower(): int(value) for name, value in fields}


def report(
    architectures: tuple[int, ...] = ARCHITECTURES,
    problems: tuple[tuple[int, int], ...] = PROBLEMS,
) -> dict[str, dict[str, int]]:
    """Compile every kernel for every architecture and problem.

    Args:
        architectures: Compute capabilities.
        problems: Pairs of N and R.

    Returns:
        What each needs, by a name that holds all three.
    """
    return {
        f"{kernel.__name__} sm_{architecture} N{states} R{rank}": usage(
            kernel, constants, architecture=architecture, warps=warps
        )
        for architecture in architectures
        for states, rank in problems
        for kernel, constants, warps in kernels(states, rank)
    }


def _constants(states: int, rank: int, tiling: Tiling) -> dict[str, Any]:
    """Return what a kernel of the scan is compiled for."""
    return {
        "N": states,
        "RANK": rank,
        "ROW": rank + 2 * states if rank else states,
        "ORDERED": rank > 0,
        "SOFTPLUS": True,
        "T": tiling.tokens,
        "BLOCK": tiling.channels,
    }


def _type(name: str, constants: dict[str, Any]) -> str:
    """Return the type of an argument as Triton writes it."""
    if name in constants:
        return "constexpr"
    if name in _NUMBERS:
        return "i32"
    return "*i32" if name == "order" else "*fp32"


def _cuobjdump(path: str) -> str:
    """Return the resource usage of a compiled kernel, by the tool that Triton brings."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    command = [str(tool), "--dump-resource-usage", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architectures", type=int, nargs="+", default=ARCHITECTURES)
    found = report(tuple(parser.parse_args().architectures))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
