"""Planning: what a prediction would take, said before it starts."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsmamba.geo.environment import raster_environment
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window
from rsmamba.models.model_file import load_model, resolve_device
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.engine import open_scene
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.passes import count_tiles, network_errors
from rsmamba.prediction.preparation import Prepared, prepare
from rsmamba.prediction.result import grid_dict
from rsmamba.prediction.scoring import TileScorer, ready_to_predict

# Sizes that LZW reaches, overviews included, as shares of the uncompressed pixels.
_CLASS_MAP_SHARE = 0.2
_SCORES_SHARE = 0.7
# Uncompressed pixels, their overviews, and the scratch file that both are made from.
_LARGEST_SHARE = 1 + 4 / 3
# Reading, blending and writing, on one core.
_ENGINE_SECONDS_PER_PIXEL = 0.15e-6
# If a quarter of each side takes longer, no larger part is timed.
_LONGEST_PROBE_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictPlan:
    """What a prediction would do.

    Attributes:
        scene: The input as it was given.
        out: Absolute path of the class map.
        grid: Grid of the outputs.
        model: Name of the model.
        device: Where the network would run.
        bidx: Bands that would be read, from 1.
        tile: Rows and columns of a tile, pixels.
        tiles: Tiles that would be looked at; masked ones are then skipped.
        batch_size: Tiles of a batch.
        column_blocks: Passes over the scene that the memory limit makes necessary.
        memory_bytes: Memory at the peak, above Python, its libraries and the model.
        memory_limit_bytes: Memory to stay within.
        output_bytes: Likely size of all outputs.
        disk_bytes: Most disk that is needed at once, as if nothing could be compressed.
        disk_free_bytes: Free on the disk of the class map.
        seconds: Likely time, if no tile is skipped.
        seconds_per_tile: Time of the network for one tile, from parts of one that are timed now.
        stretch: How pixel values would be stretched, None if not.
    """

    scene: str
    out: Path
    grid: GeoGrid
    model: str
    device: str
    bidx: tuple[int, ...]
    tile: tuple[int, int]
    tiles: int
    batch_size: int
    column_blocks: int
    memory_bytes: int
    memory_limit_bytes: int
    output_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    seconds: float
    seconds_per_tile: float
    stretch: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary without NaN.
        """
        values = {name: getattr(self, name) for name in self.__slots__ if name != "grid"}
        return values | {"out": str(self.out), "grid": grid_dict(self.grid)}


def plan(
    scene: PathLike,
    out: PathLike,
    *,
    model: PathLike | SceneModel = "default",
    device: str = "auto",
    **options: Any,  # noqa: ANN401 - PredictConfig checks them
) -> PredictPlan:
    """Say what ``predict`` would do with the same arguments; write nothing.

    All checks are made, and parts of a tile are computed to take their time.

    Args:
        scene: Raster that GDAL reads.
        out: Class map that would be written.
        model: A model, a model file, or the name of a bundled model.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        **options: The other options of ``predict``, without ``progress``.

    Returns:
        The plan.
    """
    config = PredictConfig(**options)
    paths = OutputPaths.check(out, config=config, scene=scene)
    place = resolve_device(device)
    loaded = model if isinstance(model, SceneModel) else load_model(model, device)
    with (
        raster_environment(),
        open_scene(scene, loaded, config=config) as opened,
        ready_to_predict(loaded, place),
    ):
        paths.keep(opened.files)
        prepared = prepare(opened, loaded, config=config, device=place)
        tiles = count_tiles(prepared)
        seconds_per_tile = time_of_one_tile(prepared)
        stored = _stored_bytes(prepared)
        num_pixels = prepared.region.window.num_pixels
        return PredictPlan(
            scene=str(scene),
            out=paths.class_map,
            grid=prepared.grid,
            model=loaded.name,
            device=str(place),
            bidx=opened.bidx,
            tile=(prepared.tiles.tile_height, prepared.tiles.tile_width),
            tiles=tiles,
            batch_size=prepared.batch_size,
            column_blocks=len(prepared.blocks),
            memory_bytes=prepared.peak_bytes,
            memory_limit_bytes=prepared.limit_bytes,
            output_bytes=stored[0],
            disk_bytes=stored[1],
            disk_free_bytes=shutil.disk_usage(paths.class_map.parent).free,
            seconds=tiles * seconds_per_tile + num_pixels * _ENGINE_SECONDS_PER_PIXEL,
            seconds_per_tile=seconds_per_tile,
            stretch=None if prepared.stretch is None else prepared.stretch.describe(),
        )


def time_of_one_tile(prepared: Prepared) -> float:
    """Return how long the network takes for one tile.

    Args:
        prepared: The prediction.

    Returns:
        Seconds, measured on parts of a tile from the middle of the region and scaled up.
    """
    tiles = prepared.tiles
    # The first run compiles kernels.
    _timed(prepared, parts=8)
    quarter = _timed(prepared, parts=4)
    pixels = {parts: _part(tiles, parts).num_pixels for parts in (1, 2, 4)}
    if quarter > _LONGEST_PROBE_SECONDS or pixels[2] == pixels[4]:
        return quarter * pixels[1] / pixels[4]
    half = _timed(prepared, parts=2)
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


def _timed(prepared: Prepared, *, parts: int) -> float:
    """Return the time of the network for a part of a tile from the middle of the region."""
    scorer = TileScorer(prepared.model, tta=prepared.config.tta, amp=prepared.config.amp)
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


def _stored_bytes(prepared: Prepared) -> tuple[int, int]:
    """Return the likely size of the outputs and the most disk that they need at once."""
    config, num_pixels = prepared.config, prepared.region.window.num_pixels
    num_classes = prepared.model.num_classes
    bands = (num_classes if config.probabilities else 0) + (1 if config.confidence else 0)
    score_bytes = num_pixels * bands * np.dtype(config.prob_dtype).itemsize
    likely = _CLASS_MAP_SHARE * num_pixels + _SCORES_SHARE * score_bytes
    return round(likely), round(_LARGEST_SHARE * (num_pixels + score_bytes))
