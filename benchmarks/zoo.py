"""What each network costs on one tile, beside usual ones in the same run.

Prints a table and writes results/zoo.json: parameters, multiply-adds, CPU seconds a Mpx (best of
several turns) and peak memory above the built network (in a process of its own). One thread,
float32, a tile of 512 x 512 pixels with three bands and six classes, random weights. Run it from
anywhere: ``python benchmarks/zoo.py [--turns N] [--names NAME ...]``.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import best_cpu_seconds, machine, save
from rsmamba import create_model
from rsmamba.models.flops import count_multiply_adds

TILE = 512
NUM_CLASSES = 6
ENCODERS = (
    "vmamba_tiny_s1l8",
    "vmamba_tiny_v0",
    "vssd_micro",
    "vssd_tiny",
    "groupmamba_tiny",
    "plainmamba_l1",
    "vim_tiny",
    "vim2_tiny",
)
OURS = (
    "cvmh_unet_small",
    "cvmh_unet",
    *(f"{encoder}+{decoder}" for encoder in ENCODERS for decoder in ("light", "unet")),
)
RIVALS = {
    "U-Net/ResNet-34 (smp)": ("Unet", "resnet34"),
    "SegFormer-B0 (smp)": ("Segformer", "mit_b0"),
    "SegFormer-B2 (smp)": ("Segformer", "mit_b2"),
}


def build(name: str) -> nn.Module:
    """Build one of our networks or a rival."""
    if name not in RIVALS:
        return create_model(name, num_classes=NUM_CLASSES).eval()
    import segmentation_models_pytorch as smp

    kind, encoder = RIVALS[name]
    network: nn.Module = getattr(smp, kind)(encoder, encoder_weights=None, classes=NUM_CLASSES)
    return network.eval()


def runner(network: nn.Module, tile: torch.Tensor) -> Callable[[], object]:
    """Return a function that predicts one tile."""

    def run() -> object:
        with torch.inference_mode():
            return network(tile)

    return run


def peak_memory_mib(name: str) -> float:
    """Return the peak memory of a forward pass in MiB, measured in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_peak_memory(name: str) -> None:
    """Run one forward pass and print how much its peak is above what the built network takes."""
    torch.set_num_threads(1)
    run = runner(build(name), torch.randn(1, 3, TILE, TILE))
    # A small pass first: kernels are compiled and libraries loaded, which is not of interest.
    runner(build("cvmh_unet_small"), torch.randn(1, 3, 64, 64))()
    # Linux: forget the peak so far, which a child even inherits from its parent.
    Path("/proc/self/clear_refs").write_text("5")
    before = status_kib("VmRSS")
    run()
    print((status_kib("VmHWM") - before) / 1024)


def status_kib(field: str) -> int:
    """Return a size of this process, as Linux states it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def main() -> None:
    """Measure all networks and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="timed calls of each network")
    parser.add_argument("--names", nargs="+", help="networks to measure instead of the usual ones")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print_peak_memory(arguments.memory_of)
        return
    torch.set_num_threads(1)
    names = [*(arguments.names or OURS), *RIVALS]
    tile = torch.randn(1, 3, TILE, TILE)
    networks = {name: build(name) for name in names}
    runners = {name: runner(network, tile) for name, network in networks.items()}
    for run in runners.values():
        run()  # compiles kernels
    seconds = best_cpu_seconds(runners, turns=arguments.turns, slow_seconds=60)
    rows = {
        name: measured(name, network, seconds=seconds[name]) for name, network in networks.items()
    }
    print_table(rows)
    content = {"machine": machine(), "tile": TILE, "classes": NUM_CLASSES, "networks": rows}
    print(f"written: {save('zoo', json.loads(json.dumps(content)))}")


def measured(name: str, network: nn.Module, *, seconds: float) -> dict[str, Any]:
    """Collect what was measured and counted of one network."""
    side = {"height": TILE, "width": TILE}
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": count_multiply_adds(network, in_channels=3, **side),
        "cpu_seconds": seconds,
        "cpu_seconds_per_mpx": seconds / (TILE * TILE / 1e6),
        "peak_memory_mib": peak_memory_mib(name),
    }


def print_table(rows: dict[str, dict[str, Any]]) -> None:
    """Print one line for each network."""
    heads = ("parameters", "G mult-adds", "CPU-s a Mpx", "peak MiB")
    print(f"{'network':<26}" + "".join(f"{head:>13}" for head in heads))
    for name, row in rows.items():
        print(
            f"{name:<26}{row['parameters']:>13,}{row['multiply_adds'] / 1e9:>13.2f}"
            f"{row['cpu_seconds_per_mpx']:>13.2f}{row['peak_memory_mib']:>13.0f}"
        )


if __name__ == "__main__":
    main()
