"""Time the fused SS2D scan against the same thing from its parts.

The parts are expand, the step-size projection, our compiled selective scan, and merge: the rival is
not slow, the fused scan just builds no sequences. Prints a table and writes results/ss2d.json. One
thread; CPU seconds; both in the same run. Run it from anywhere:
``python benchmarks/ss2d.py [--quick] [--keep-blocks]``, which keeps memory for both and writes
results/ss2d_kept_blocks.json.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import best_cpu_seconds, machine, save
from rsmamba.ops.memory import keep_large_blocks
from rsmamba.ops.ss2d import ss2d_scan
from rsmamba.ops.ss2d.composite import ss2d_composite


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One problem, batch 1.

    Attributes:
        side: Rows and columns of the map.
        channels: Channels D.
        states: States N.
        rank: Rank R of the step size.
    """

    side: int
    channels: int
    states: int
    rank: int


SIZES = (
    Size(side=64, channels=192, states=1, rank=12),
    Size(side=128, channels=192, states=1, rank=6),
    Size(side=128, channels=192, states=16, rank=6),
    Size(side=32, channels=384, states=1, rank=24),
)


def make_tensors(size: Size) -> dict[str, Tensor]:
    """Draw inputs of the given size with leaves that need gradients."""
    draw = functools.partial(torch.randn, generator=torch.Generator().manual_seed(0))
    rates = -torch.arange(1.0, size.states + 1).expand(4, size.channels, -1).clone()
    tensors = {
        "x": draw(1, size.side, size.side, size.channels),
        "projections": draw(1, size.side, size.side, 4, size.rank + 2 * size.states),
        "dt_weight": draw(4, size.channels, size.rank) * size.rank**-0.5,
        "dt_bias": draw(4, size.channels) - 2,
        "A": rates,
        "D": draw(4, size.channels),
    }
    return {name: tensor.requires_grad_() for name, tensor in tensors.items()}


def forward(scan: Callable[..., Tensor], tensors: dict[str, Tensor], _: Tensor) -> None:
    """Run without gradients."""
    with torch.no_grad():
        scan(**tensors, paths="cross", backend="numba")


def forward_backward(scan: Callable[..., Tensor], tensors: dict[str, Tensor], dy: Tensor) -> None:
    """Run with the gradients of all inputs."""
    y = scan(**tensors, paths="cross", backend="numba")
    torch.autograd.grad(y, list(tensors.values()), dy)


def measure(size: Size, *, turns: int) -> dict[str, Any]:
    """Time both at one size."""
    tensors = make_tensors(size)
    dy = torch.randn(tensors["x"].shape)
    scans = {"fused": ss2d_scan, "parts": ss2d_composite}
    row: dict[str, Any] = asdict(size)
    for name, once in (("forward", forward), ("forward_backward", forward_backward)):
        passes = {
            rival: functools.partial(once, scan, tensors, dy) for rival, scan in scans.items()
        }
        row[name] = best_cpu_seconds(passes, turns=turns)
    return row


def show(row: dict[str, Any]) -> None:
    """Print one line of the table."""
    parts = ("forward", "forward_backward")
    fused, rival = ([1e3 * row[part][name] for part in parts] for name in ("fused", "parts"))
    print(f"{row['side']:4} x{row['side']:3} {row['channels']:4} {row['states']:3}", end="")
    print(f" {row['rank']:3}{fused[0]:11.1f}{rival[0]:8.1f}{rival[0] / fused[0]:7.1f}", end="")
    print(f"{fused[1]:15.1f}{rival[1]:8.1f}{rival[1] / fused[1]:7.1f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, for a first look")
    parser.add_argument("--keep-blocks", action="store_true", help="no page faults, for any rival")
    options = parser.parse_args()
    turns = 3 if options.quick else 20
    torch.set_num_threads(1)
    kept = options.keep_blocks and keep_large_blocks()
    about = {**machine(), "large_blocks_kept": kept}
    print(f"{about['cpu']}, torch {about['torch']}, numba {about['numba']}; CPU ms, one thread")
    print(f"{'map':>9} {'D':>4} {'N':>3} {'R':>3}{'fwd fused':>11}{'parts':>8}{'times':>7}", end="")
    print(f"{'fwd+bwd fused':>15}{'parts':>8}{'times':>7}")
    rows = []
    for size in SIZES:
        rows.append(measure(size, turns=turns))
        show(rows[-1])
    name = "ss2d_kept_blocks" if kept else "ss2d"
    print(f"\nwritten: {save(name, {'machine': about, 'sizes': rows})}")


if __name__ == "__main__":
    main()
