"""CPU cost of VMamba-T's encoder on one tile, and what it is spent on, beside two usual networks.

Prints a table and writes results/encoder.json. One thread, float32, a tile of 512 x 512 pixels
with three bands, random weights; CPU seconds, best of several turns. The rivals are whole
segmentation networks with six classes; ours is the encoder alone, as it goes before a decoder. The
split comes from one profiled call of each. Run it from anywhere:
``python benchmarks/encoder.py [--turns N]``.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import best_cpu_seconds, machine, save
from rsmamba.models.encoders.vmamba import VARIANTS, Config, make_encoder
from rsmamba.models.layers import ss2d
from rsmamba.models.options import config_from_options
from rsmamba.ops.ss2d import ss2d_scan

TILE = 512
NUM_CLASSES = 6
VARIANT = "vmamba_tiny_s1l8"
# Parts of operator names, in the order in which they are tried.
KINDS = {
    "scan": ("ss2d_scan",),
    "norm": ("layer_norm", "batch_norm"),
    "conv": ("conv",),
    "linear": ("mm", "linear", "matmul", "attention"),
    "activation": ("silu", "gelu", "relu", "sigmoid", "softmax"),
}


def networks() -> dict[str, nn.Module]:
    """Build our encoder and the rivals."""
    import segmentation_models_pytorch as smp

    config = config_from_options(Config, VARIANTS[VARIANT].options)
    return {
        f"{VARIANT} (encoder)": make_encoder(config, in_channels=3),
        "SegFormer-B0 (smp)": smp.Segformer("mit_b0", encoder_weights=None, classes=NUM_CLASSES),
        "U-Net/ResNet-18 (smp)": smp.Unet("resnet18", encoder_weights=None, classes=NUM_CLASSES),
    }


def runner(network: nn.Module, tile: torch.Tensor) -> Callable[[], object]:
    """Return a function that runs one tile."""

    def run() -> object:
        with torch.inference_mode():
            return network(tile)

    return run


def split(run: Callable[[], object]) -> dict[str, float]:
    """Profile one call and say which share of its time each kind of operator took."""

    def named_scan(*tensors: torch.Tensor, **options: Any) -> torch.Tensor:  # noqa: ANN401 - passed on
        # The kernels are not torch's, so the profiler sees them only under a name given here.
        with record_function("ss2d_scan"):
            return ss2d_scan(*tensors, **options)

    with (
        patch.object(ss2d, "ss2d_scan", named_scan),
        profile(activities=[ProfilerActivity.CPU]) as profiler,
    ):
        run()
    seconds: defaultdict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        seconds[kind_of(event.key)] += event.self_cpu_time_total
    total = sum(seconds.values())
    return {kind: seconds[kind] / total for kind in [*KINDS, "other"]}


def kind_of(operator: str) -> str:
    """Return the kind of an operator."""
    for kind, parts in KINDS.items():
        if any(part in operator for part in parts):
            return kind
    return "other"


def main() -> None:
    """Time all networks in turns, profile each once, and report."""
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
    kinds = [*KINDS, "other"]
    rows = {}
    print(f"{'network':<28}{'CPU-s a tile':>13}{'Mpx/s':>8}" + "".join(f"{k:>12}" for k in kinds))
    for name, network in built.items():
        shares = split(runners[name])
        speed = TILE * TILE / 1e6 / seconds[name]
        rows[name] = {
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "cpu_seconds": seconds[name],
            "mpx_per_s": speed,
            "shares": shares,
        }
        cells = "".join(f"{shares[kind]:>12.1%}" for kind in kinds)
        print(f"{name:<28}{seconds[name]:>13.3f}{speed:>8.3f}{cells}")
    print(f"written: {save('encoder', {'machine': machine(), 'tile': TILE, 'networks': rows})}")


if __name__ == "__main__":
    main()
