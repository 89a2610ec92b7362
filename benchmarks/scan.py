"""Time the selective scan against a plain loop and against mambapy's parallel scan.

Prints a table and writes results/scan.json. One thread; CPU seconds; all rivals in the same run.
Run it from anywhere: ``python benchmarks/scan.py [--quick] [--keep-blocks]``. With
--keep-blocks memory is kept for all rivals (`rsmamba.ops.memory`) and results go to
results/scan_kept_blocks.json: without page faults of fresh results, kernels alone are timed.
"""

import argparse
import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import best_cpu_seconds, machine, save
from rsmamba.ops.memory import keep_large_blocks
from rsmamba.ops.selective_scan import selective_scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One problem: batch 1, four paths.

    Attributes:
        length: Tokens L.
        states: States N.
        channels: Channels D of each of the four paths.
    """

    length: int
    states: int
    channels: int = 192

    @property
    def elements(self) -> int:
        """Tokens times channels of all paths."""
        return 4 * self.length * self.channels


SIZES = (Size(length=4096, states=16), Size(length=16384, states=1), Size(length=4096, states=1))
Scan = Callable[[dict[str, Tensor]], Tensor]


def ours(tensors: dict[str, Tensor], *, backend: Any = "numba") -> Tensor:  # noqa: ANN401
    """Run our operator."""
    return selective_scan(
        tensors["x"],
        tensors["dt"],
        tensors["A"],
        B=tensors["B"],
        C=tensors["C"],
        D=tensors["D"],
        dt_bias=tensors["dt_bias"],
        backend=backend,
    )


def loop(tensors: dict[str, Tensor]) -> Tensor:
    """Run a plain loop over tokens, cut with unbind so that its autograd stays linear in L."""
    step = functional.softplus(tensors["dt"] + tensors["dt_bias"][:, None])
    decay = torch.exp(step[..., None] * tensors["A"][:, None])  # (batch, K, L, D, N)
    inputs = (step * tensors["x"])[..., None] * tensors["B"][:, :, :, None]
    state = torch.zeros_like(decay[:, :, 0])
    outputs = []
    rows = (part.unbind(2) for part in (decay, inputs, tensors["C"]))
    for a, b, c in zip(*rows, strict=True):
        state = a * state + b
        outputs.append((state * c[:, :, None]).sum(-1))
    return torch.stack(outputs, 2) + tensors["x"] * tensors["D"][:, None]


def mambapy(tensors: dict[str, Tensor]) -> Tensor:
    """Run mambapy's parallel scan the way its Mamba block does; paths go into its batch axis."""
    pscan = importlib.import_module("mambapy.pscan").pscan
    x, dt, B, C = (tensors[name][0] for name in ("x", "dt", "B", "C"))
    step = functional.softplus(dt + tensors["dt_bias"][:, None])  # (K, L, D)
    decay = torch.exp(step[..., None] * tensors["A"][:, None])  # (K, L, D, N)
    states = pscan(decay, step[..., None] * B[:, :, None] * x[..., None])
    y: Tensor = (states @ C[..., None]).squeeze(-1) + x * tensors["D"][:, None]
    return y[None]


RIVALS: dict[str, Scan] = {
    "rsmamba": ours,
    "rsmamba, torch": functools.partial(ours, backend="torch"),
    "loop": loop,
    "mambapy": mambapy,
}


def make_tensors(size: Size) -> dict[str, Tensor]:
    """Draw inputs of the given size with leaves that need gradients."""
    generator = torch.Generator().manual_seed(0)
    draw = functools.partial(torch.randn, generator=generator)
    sequence, rows = (1, 4, size.length, size.channels), (1, 4, size.length, size.states)
    tensors = {
        "x": draw(sequence),
        "dt": draw(sequence) - 2,
        "A": -torch.arange(1.0, size.states + 1).expand(4, size.channels, -1).clone(),
        "B": draw(rows),
        "C": draw(rows),
        "D": draw(4, size.channels),
        "dt_bias": draw(4, size.channels),
    }
    return {name: tensor.requires_grad_() for name, tensor in tensors.items()}


def forward(scan: Scan, tensors: dict[str, Tensor], _: Tensor) -> None:
    """Run without gradients."""
    with torch.no_grad():
        scan(tensors)


def forward_backward(scan: Scan, tensors: dict[str, Tensor], dy: Tensor) -> None:
    """Run with the gradients of all inputs."""
    torch.autograd.grad(scan(tensors), list(tensors.values()), dy)


def measure(size: Size, *, turns: int) -> dict[str, Any]:
    """Time all rivals at one size."""
    tensors = make_tensors(size)
    dy = torch.randn(tensors["x"].shape)
    check(tensors)
    row: dict[str, Any] = {"length": size.length, "states": size.states, "channels": "4 x 192"}
    for name, once in (("forward", forward), ("forward_backward", forward_backward)):
        passes = {rival: functools.partial(once, RIVALS[rival], tensors, dy) for rival in RIVALS}
        row[name] = best_cpu_seconds(passes, turns=turns)
    seconds = row["forward"]["rsmamba"]
    row["forward_gb_per_s"] = 12 * size.elements / seconds / 1e9
    row["forward_gexp_per_s"] = size.states * size.elements / seconds / 1e9
    return row


def check(tensors: dict[str, Tensor]) -> None:
    """Stop if a rival does not compute the same thing."""
    with torch.no_grad():
        expected = ours(tensors)
        for name, scan in RIVALS.items():
            error = (scan(tensors) - expected).abs().max() / expected.abs().max()
            if not error < 1e-4:
                message = f"{name} differs from rsmamba by {error:.1e}"
                raise RuntimeError(message)


def show(row: dict[str, Any], ceilings: dict[str, Any]) -> None:
    """Print the table of one size."""
    print(f"\nB 1, K*D 4 x 192, L {row['length']}, N {row['states']}; CPU ms, one thread")
    print(f"{'':16}{'forward':>10}{'times':>8}{'fwd + bwd':>12}{'times':>8}")
    for name in RIVALS:
        cells = [row[part][name] for part in ("forward", "forward_backward")]
        ratios = [
            row[part][name] / row[part]["rsmamba"] for part in ("forward", "forward_backward")
        ]
        print(
            f"{name:16}{cells[0] * 1e3:10.1f}{ratios[0]:8.1f}{cells[1] * 1e3:12.1f}{ratios[1]:8.1f}"
        )
    copy_share = row["forward_gb_per_s"] / ceilings["copy_gb_per_s"]
    exp_share = row["forward_gexp_per_s"] / ceilings["exp_g_per_s"]
    print(f"rsmamba forward: {copy_share:.0%} of copy bandwidth, {exp_share:.0%} of exp throughput")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, for a first look")
    parser.add_argument("--keep-blocks", action="store_true", help="no page faults, for any rival")
    options = parser.parse_args()
    turns = 2 if options.quick else 8
    torch.set_num_threads(1)
    kept = options.keep_blocks and keep_large_blocks()
    about = {**machine(), "large_blocks_kept": kept}
    print(f"{about['cpu']}, torch {about['torch']}, numba {about['numba']}")
    print(
        f"copy {about['copy_gb_per_s']} GB/s, exponentials {about['exp_g_per_s']} G/s, "
        f"as in the kernels {about['product_exp_g_per_s']} G/s"
    )
    rows = []
    for size in SIZES:
        rows.append(measure(size, turns=turns))
        show(rows[-1], about)
    name = "scan_kept_blocks" if kept else "scan"
    print(f"\nwritten: {save(name, {'machine': about, 'sizes': rows})}")


if __name__ == "__main__":
    main()
