"""Timing a model on small parts of a scene, where no earlier prediction tells its speed."""

import time

import numpy as np

from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.passes import network_errors
from rsmamba.prediction.preparation import Prepared
from rsmamba.prediction.scoring import TileScorer

# If a quarter of each side takes longer, no larger part is timed.
_LONGEST_PROBE_SECONDS = 0.3
_NUM_PROBES = 4


def time_of_one_tile(prepared: Prepared, model: SceneModel) -> float:
    """Return how long the network takes for one tile.

    Args:
        prepared: The prediction.
        model: The model, on its device, in evaluation mode.

    Returns:
        Seconds, measured on parts of a tile from the middle of the region and scaled up.
    """
    tiles = prepared.tiles
    # The first run compiles kernels; of the others, what disturbs a machine only lengthens some.
    quarter = min(_timed(prepared, model, parts=parts) for parts in (4,) * _NUM_PROBES)
    pixels = {parts: _part(tiles, parts).num_pixels for parts in (1, 2, 4)}
    if quarter > _LONGEST_PROBE_SECONDS or pixels[2] == pixels[4]:
        return quarter * pixels[1] / pixels[4]
    half = _timed(prepared, model, parts=2)
    # Each pass has a fixed cost, so a line through two sizes tells more than one alone.
    seconds_per_pixel = max(half - quarter, 0.0) / (pixels[2] - pixels[4])
    return half + seconds_per_pixel * (pixels[1] - pixels[2])


def _part(tiles: TileGrid, parts: int) -> Window:
    """Return a part of a tile at the scene's start, a fraction of each side."""
    return Window(
        row=0,
        col=0,
        height=max(tiles.tile_height // parts, 1),
        width=max(tiles.tile_width // parts, 1),
    )


def _timed(prepared: Prepared, model: SceneModel, *, parts: int) -> float:
    """Return the time of the network for a part of a tile from the middle of the region."""
    config = prepared.config
    by_content = config.prune == "auto"
    scorer = TileScorer(model, tta=config.tta, amp=config.amp, by_content=by_content)
    region, part = prepared.work_window(prepared.region.window), _part(prepared.tiles, parts)
    window = part.shifted(
        rows=min(region.row + region.height // 2, prepared.tiles.height - part.height),
        cols=min(region.col + region.width // 2, prepared.tiles.width - part.width),
    )
    pixels = prepared.source.read(window)
    values = pixels.values[None].astype(np.float32)
    if prepared.stretch is not None:
        prepared.stretch.apply(values[0])
    started = time.perf_counter()
    with network_errors(f"a part of {prepared.scene.name}"):
        scorer.score(values, pixels.valid[None])
    return time.perf_counter() - started
