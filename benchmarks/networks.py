"""Parameters and CPU cost of each network on one tile, beside two usual ones in the same run.

Prints a table and writes results/networks.json. One thread, float32, a tile of 512 x 512 pixels
with three bands and six classes, random weights; CPU seconds, best of several turns. Run it from
anywhere: ``python benchmarks/networks.py [--turns N]``.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import best_cpu_seconds, machine, save
from rsmamba import create_model, list_models

TILE = 512
NUM_CLASSES = 6


def networks() -> dict[str, nn.Module]:
    """Build our networks and the rivals."""
    import segmentation_models_pytorch as smp

    ours = {name: create_model(name, num_classes=NUM_CLASSES) for name in list_models()}
    return ours | {
        "U-Net/ResNet-18 (smp)": smp.Unet("resnet18", encoder_weights=None, classes=NUM_CLASSES),
        "SegFormer-B0 (smp)": smp.Segformer("mit_b0", encoder_weights=None, classes=NUM_CLASSES),
    }


def runner(network: nn.Module, tile: torch.Tensor) -> Callable[[], object]:
    """Return a function that predicts one tile."""

    def run() -> object:
        with torch.inference_mode():
            return network(tile)

    return run


def main() -> None:
    """Time all networks in turns and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="timed calls of each network")
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    tile = torch.randn(1, 3, TILE, TILE)
    built = {name: network.eval() for name, network in networks().items()}
    runners = {name: runner(network, tile) for name, network in built.items()}
    for run in runners.values():
        run()  # compiles kernels
    seconds = best_cpu_seconds(runners, turns=turns, slow_seconds=60)
    rows = {}
    print(f"{'network':<24}{'parameters':>12}{'CPU-s a tile':>14}{'CPU-s a Mpx':>13}")
    for name, network in built.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        per_mpx = seconds[name] / (TILE * TILE / 1e6)
        rows[name] = {
            "parameters": count,
            "cpu_seconds": seconds[name],
            "cpu_seconds_per_mpx": per_mpx,
        }
        print(f"{name:<24}{count:>12,}{seconds[name]:>14.3f}{per_mpx:>13.2f}")
    print(f"written: {save('networks', {'machine': machine(), 'tile': TILE, 'networks': rows})}")


if __name__ == "__main__":
    main()
