"""Time whole networks on tiles: prediction, and forward with backward of a training step."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.gpu.timing import graph_seconds, median_seconds, peak_bytes

NETWORKS = ("cvmh_unet", "cvmh_unet_small")
NUM_CLASSES = 6


def time_networks(device: torch.device, *, tiny: bool) -> Iterator[dict[str, Any]]:
    """Time each network in float32 and under bfloat16 autocast.

    Args:
        device: Where to run.
        tiny: Whether to take one small tile and one turn, to exercise this script.

    Yields:
        Network, type, seconds, megapixels a second, and memory.
    """
    from rsmamba import create_model

    tile, batch, turns = (64, 1, 1) if tiny else (512, 4, 10)
    for name in NETWORKS[-1:] if tiny else NETWORKS:
        network = create_model(name, num_classes=NUM_CLASSES).to(device)
        for half in (False, True):
            for images in {1, batch}:
                pixels = torch.randn(images, 3, tile, tile, device=device)
                yield {
                    "network": name,
                    "dtype": "bfloat16 autocast" if half else "float32",
                    "batch": images,
                    "tile": tile,
                    **_predict(network, pixels, half=half, turns=turns),
                }
            pixels = torch.randn(batch, 3, tile, tile, device=device)
            yield {
                "network": name,
                "dtype": "bfloat16 autocast" if half else "float32",
                "batch": batch,
                "tile": tile,
                **_train(network, pixels, half=half, turns=turns),
            }


def _autocast(device: torch.device, *, half: bool) -> contextlib.AbstractContextManager[object]:
    """Return autocast to bfloat16, or nothing."""
    return torch.autocast(device.type, torch.bfloat16) if half else contextlib.nullcontext()


def _predict(network: nn.Module, pixels: torch.Tensor, *, half: bool, turns: int) -> dict[str, Any]:
    """Time prediction, launched and as a graph."""
    network.eval()

    def work() -> None:
        # Autocast keeps converted weights between calls, which a graph must not.
        with torch.no_grad(), _autocast(pixels.device, half=half):
            network(pixels)

    seconds = median_seconds(work, pixels.device, turns=turns)
    replay = graph_seconds(work, pixels.device, turns=turns)
    return {
        "pass": "predict",
        "seconds": seconds,
        "graph_seconds": replay,
        "mpx_per_s": pixels[:, 0].numel() / 1e6 / (replay or seconds),
        "peak_bytes": peak_bytes(work, pixels.device),
    }


def _train(network: nn.Module, pixels: torch.Tensor, *, half: bool, turns: int) -> dict[str, Any]:
    """Time forward and backward of a training step."""
    network.train()
    labels = torch.randint(0, NUM_CLASSES, pixels[:, 0].shape, device=pixels.device)

    def work() -> None:
        with _autocast(pixels.device, half=half):
            logits = network(pixels)
        loss = functional.cross_entropy(logits.float(), labels)
        torch.autograd.backward(loss)
        network.zero_grad()

    seconds = median_seconds(work, pixels.device, turns=turns)
    return {
        "pass": "train",
        "seconds": seconds,
        "mpx_per_s": pixels[:, 0].numel() / 1e6 / seconds,
        "peak_bytes": peak_bytes(work, pixels.device),
    }
