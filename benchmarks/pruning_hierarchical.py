"""What feeding fewer tokens forward saves in encoders of several resolutions.

Prints a table and writes results/pruning_hierarchical.json: CPU seconds of a 512 x 512 tile through
a segmentation network with the light decoder (least of several turns), and the speed-up of each
keep ratio (median of the ratios of neighbouring turns). CVMH-UNet and the first release of VMamba
have nothing to leave out this way: for them, what their parts take says what there is to gain. One
thread, float32, random weights. Run it: ``python benchmarks/pruning_hierarchical.py``.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import machine, save
from benchmarks.pruning import speed_up, timed
from rsmamba.models import create_model
from rsmamba.models.layers.cvss_block import CVSSBlock
from rsmamba.models.pruning.config import FeedForwardPruning
from rsmamba.models.pruning.feeding import assign_pruning

FED = ("vmamba_tiny_s1l8+light", "vssd_tiny+light", "groupmamba_tiny+light")
RATIOS = (0.7, 0.5, 0.3)
SIDE = 512


def runner(network: nn.Module, image: Tensor, ratio: float) -> Callable[[], None]:
    """Return a function that segments one image, feeding a share of the tokens forward."""

    def run() -> None:
        assign_pruning(network, None if ratio == 1 else FeedForwardPruning(ratio=ratio))
        with torch.inference_mode():
            network(image)

    return run


def measured(name: str, *, turns: int) -> dict[str, Any]:
    """Measure one network at all ratios."""
    network = create_model(name, num_classes=6).eval()
    image = torch.randn(1, 3, SIDE, SIDE)
    runs = {str(ratio): runner(network, image, ratio) for ratio in (1, *RATIOS)}
    spent = {key: times["cpu"] for key, times in timed(runs, turns=turns).items()}
    return {
        "cpu_seconds": {key: min(times) for key, times in spent.items()},
        "speed_up": {str(ratio): speed_up(spent["1"], spent[str(ratio)]) for ratio in RATIOS},
    }


def shares_of_cvmh_unet(*, turns: int) -> dict[str, float]:
    """Return the shares of CVMH-UNet's time that its mixers and feed-forward parts take."""
    network = create_model("cvmh_unet_small", num_classes=6).eval()
    spent = {"mixer": 0.0, "feed_forward": 0.0}
    started: dict[str, float] = {}

    def watch(part: str, module: nn.Module) -> None:
        module.register_forward_pre_hook(lambda *_: started.__setitem__(part, time.process_time()))
        module.register_forward_hook(
            lambda *_: spent.__setitem__(part, spent[part] + time.process_time() - started[part])
        )

    for block in (module for module in network.modules() if isinstance(module, CVSSBlock)):
        for part in spent:
            watch(part, block.get_submodule(part))
    image = torch.randn(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        network(image)
        spent.update(mixer=0.0, feed_forward=0.0)
        start = time.process_time()
        for _ in range(turns):
            network(image)
        whole = time.process_time() - start
    return {part: seconds / whole for part, seconds in spent.items()}


def main() -> None:
    """Measure all networks and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=8, help="timed calls of each variant")
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = {}
    print(f"{'network':<24}{'dense ms':>10}" + "".join(f"{ratio:>8}" for ratio in RATIOS))
    for name in FED:
        results[name] = row = measured(name, turns=turns)
        gains = "".join(f"{row['speed_up'][str(ratio)]:>8.2f}" for ratio in RATIOS)
        print(f"{name:<24}{row['cpu_seconds']['1'] * 1e3:>10.0f}{gains}")
    shares = shares_of_cvmh_unet(turns=turns)
    print("cvmh_unet_small: " + ", ".join(f"{part} {share:.0%}" for part, share in shares.items()))
    content = {"machine": machine(), "side": SIDE, "networks": results, "cvmh_unet_small": shares}
    print(f"written: {save('pruning_hierarchical', content)}")


if __name__ == "__main__":
    main()
