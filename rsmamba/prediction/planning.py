"""Planning: what a prediction would take, said before it starts."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rsmamba.geo.environment import raster_environment
from rsmamba.geo.grid import GeoGrid
from rsmamba.models.accelerators import has_accelerator
from rsmamba.models.model_header import ModelFacts, ModelHeader, read_header
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.preparation import Prepared, open_scene, prepare
from rsmamba.prediction.result import grid_dict
from rsmamba.prediction.speed import remember_speed, remembered_speed

if TYPE_CHECKING:
    from rsmamba.models.scene_model import SceneModel

# Sizes that LZW reaches, overviews included, as shares of the uncompressed pixels.
_CLASS_MAP_SHARE = 0.2
_SCORES_SHARE = 0.7
# Uncompressed pixels, their overviews, the scratch file that both are made from, and the finished
# strips that a run after a crash would begin with.
_LARGEST_SHARE = 2 + 4 / 3
# Reading, blending and writing, on one core.
_ENGINE_SECONDS_PER_PIXEL = 0.15e-6


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
        seconds_per_tile: Time of the network for one tile.
        speed_is_remembered: True if that time is from earlier predictions with this model; False
            if parts of a tile were timed now.
        stretch: How pixel values would be stretched, None if not.
        pruning: What was asked for of token pruning; None leaves it to the model.
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
    speed_is_remembered: bool
    stretch: str | None
    pruning: str | None

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
    model: "PathLike | SceneModel" = "default",
    device: str = "auto",
    **options: Any,  # noqa: ANN401 - PredictConfig checks them
) -> PredictPlan:
    """Say what ``predict`` would do with the same arguments; write nothing.

    All checks are made. The time is that of earlier predictions on this machine; where there was
    none, parts of a tile are computed and timed.

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
    subject = _subject(model, device, config=config)
    with raster_environment(), open_scene(scene, subject.facts, config=config) as opened:
        paths.keep(opened.files)
        prepared = prepare(opened, subject.facts, config=config, device=subject.device)
        tiles = prepared.num_tiles
        seconds_per_tile = subject.seconds_per_tile(prepared)
        stored = _stored_bytes(prepared)
        num_pixels = prepared.region.window.num_pixels
        return PredictPlan(
            scene=str(scene),
            out=paths.class_map,
            grid=prepared.grid,
            model=subject.facts.name,
            device=subject.device,
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
            speed_is_remembered=subject.speed is not None,
            stretch=None if prepared.stretch is None else prepared.stretch.describe(),
            pruning=config.pruning_wish,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a plan is made for.

    Attributes:
        facts: What is known of the model.
        device: Where it would compute.
        header: Header of its file; None for a model that is in memory.
        model: The model itself; None where its file need not be loaded.
        speed: Seconds a pixel of a tile, from earlier predictions; None if it has to be measured.
    """

    facts: ModelFacts
    device: str
    header: ModelHeader | None
    model: "SceneModel | None"
    speed: float | None

    def seconds_per_tile(self, prepared: Prepared) -> float:
        """Return how long the network takes for one tile, by memory or by trying."""
        tile_pixels = prepared.tiles.tile_height * prepared.tiles.tile_width
        if self.model is None:
            return (self.speed or 0.0) * tile_pixels
        from rsmamba.prediction.probing import time_of_one_tile  # noqa: PLC0415 - loads torch
        from rsmamba.prediction.pruning import pruned_as_configured  # noqa: PLC0415
        from rsmamba.prediction.scoring import ready_to_predict  # noqa: PLC0415

        with (
            ready_to_predict(self.model, self.device),
            pruned_as_configured(self.model, prepared.config),
        ):
            seconds = time_of_one_tile(prepared, self.model)
        if self.header is not None and self.device == "cpu":
            remember_speed(self.header, prepared.config, seconds_per_pixel=seconds / tile_pixels)
        return seconds


def _subject(model: "PathLike | SceneModel", device: str, *, config: PredictConfig) -> _Subject:
    """Find out as much of a model as a plan needs: torch is loaded only if the speed is unknown."""
    header = read_header(model) if isinstance(model, str | os.PathLike) else None
    speed = None
    if header is not None and (device == "cpu" or (device == "auto" and not has_accelerator())):
        speed = remembered_speed(header, config)
        if speed is not None:
            return _Subject(facts=header, device="cpu", header=header, model=None, speed=speed)
    from rsmamba.models.model_file import load_model, resolve_device  # noqa: PLC0415 - loads torch

    place = resolve_device(device)
    loaded = load_model(model, place) if isinstance(model, str | os.PathLike) else model
    return _Subject(facts=loaded, device=str(place), header=header, model=loaded, speed=None)


def _stored_bytes(prepared: Prepared) -> tuple[int, int]:
    """Return the likely size of the outputs and the most disk that they need at once."""
    config, num_pixels = prepared.config, prepared.region.window.num_pixels
    num_classes = prepared.model.num_classes
    bands = (num_classes if config.probabilities else 0) + (1 if config.confidence else 0)
    score_bytes = num_pixels * bands * np.dtype(config.prob_dtype).itemsize
    likely = _CLASS_MAP_SHARE * num_pixels + _SCORES_SHARE * score_bytes
    return round(likely), round(_LARGEST_SHARE * (num_pixels + score_bytes))
