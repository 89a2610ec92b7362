"""CPU time of a prediction above that of the bare forward passes over the same tiles."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.prediction.scenes import convolution, make_scene
from rsmamba import SceneModel
from rsmamba.geo.tiles import TileGrid
from rsmamba.prediction import predict

TILE, OVERLAP = 512, 64


def measure_overhead(*, sides: tuple[int, int], runs: int, folder: Path) -> dict[str, Any]:
    """Time predictions of a small and a large scene, to tell what starting costs and what pixels.

    Args:
        sides: Rows and columns of the small and of the large scene, pixels.
        runs: How often each is timed.
        folder: Where the scenes lie for a while.

    Returns:
        What ``measure_scene`` returns for each; the CPU seconds that each further megapixel adds,
        and what is left for any scene: starting, and last tiles that overlap more than others.
    """
    scenes = [measure_scene(side=side, runs=runs, folder=folder) for side in sides]
    small, large = (side**2 / 1e6 for side in sides)
    spent = [scene["overhead"] * size for scene, size in zip(scenes, (small, large), strict=True)]
    slope = (spent[1] - spent[0]) / (large - small)
    return {
        "scenes": scenes,
        "seconds_per_further_mpx": round(slope, 4),
        "seconds_fixed": round(spent[0] - slope * small, 3),
    }


def measure_scene(*, side: int, runs: int, folder: Path) -> dict[str, Any]:
    """Time predictions and bare forward passes in turns, on one thread.

    The network is one convolution, so that its own noise does not hide the difference. A prediction
    includes reading, checksum, blending, writing, overviews and the final GeoTIFF.

    Args:
        side: Rows and columns of the scene, pixels.
        runs: How often each is timed.
        folder: Where the scene lies for a while.

    Returns:
        CPU seconds a megapixel: the median of each, and of their differences.
    """
    torch.set_num_threads(1)
    model = convolution(channels=())
    tiles = TileGrid(height=side, width=side, tile=TILE, overlap=OVERLAP)
    scale = 1e6 / side**2
    passes: list[float] = []
    plain: list[float] = []
    full: list[float] = []
    with tempfile.TemporaryDirectory(dir=folder) as work:
        scene = make_scene(Path(work) / "scene.tif", height=side, width=side)
        # The first round warms up.
        for run in range(runs + 1):
            times = (
                forward_seconds(model, tiles),
                predict_seconds(scene, model),
                predict_seconds(scene, model, confidence=scene.with_name("confidence.tif")),
            )
            if run > 0:
                for kept, seconds in zip((passes, plain, full), times, strict=True):
                    kept.append(seconds * scale)
    differences = [one - other for one, other in zip(plain, passes, strict=True)]
    with_confidence = [one - other for one, other in zip(full, passes, strict=True)]
    return {
        "side": side,
        "runs": runs,
        "forward_passes": round(statistics.median(passes), 4),
        "predict": round(statistics.median(plain), 4),
        "overhead": round(statistics.median(differences), 4),
        "overhead_least": round(min(differences), 4),
        "overhead_most": round(max(differences), 4),
        "overhead_with_confidence": round(statistics.median(with_confidence), 4),
    }


def forward_seconds(model: SceneModel, tiles: TileGrid) -> float:
    """Return the CPU seconds of the network alone on as many tiles."""
    pixels = 255 * torch.rand(1, 3, tiles.tile_height, tiles.tile_width)
    start = time.process_time()
    with torch.inference_mode():
        for _ in range(len(tiles)):
            model(pixels, None)
    return time.process_time() - start


def predict_seconds(scene: Path, model: SceneModel, *, confidence: Path | None = None) -> float:
    """Return the CPU seconds of a prediction, all threads together."""
    start = time.process_time()
    predict(
        scene,
        scene.with_name("map.tif"),
        model=model,
        tile=TILE,
        overlap=OVERLAP,
        confidence=confidence,
        overwrite=True,
        device="cpu",
    )
    return time.process_time() - start
