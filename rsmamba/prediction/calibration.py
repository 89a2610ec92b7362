"""Calibration of pruning: how few tokens tiles of some content need to keep their classes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from rsmamba.errors import OptionError
from rsmamba.geo.environment import raster_environment
from rsmamba.models.model_file import resolve_device
from rsmamba.models.pruning.config import Pruning
from rsmamba.models.pruning.levels import METADATA, PruningLevels
from rsmamba.models.pruning.setting import choose_pruning, pruned
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.passes import Progress
from rsmamba.prediction.preparation import open_scene, prepare
from rsmamba.prediction.pruning import content_of
from rsmamba.prediction.scoring import TileScorer, ready_to_predict

RATIOS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Keep ratios that are tried, from few to many tokens."""
NUM_LEVELS = 4
"""Levels of content, with about as many tiles each."""

Tile = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One tile of a calibration.

    Attributes:
        content: What is in it.
        pixels: Valid pixels.
        same: Pixels in the class of the dense map, for each of the ratios.
    """

    content: float
    pixels: int
    same: tuple[int, ...]


def calibrate_pruning(
    model: SceneModel,
    scenes: Sequence[PathLike],
    *,
    agreement: float = 0.98,
    tile: int = 512,
    most_tiles: int = 64,
    device: str = "auto",
    progress: Progress | None = None,
) -> PruningLevels:
    """Choose the keep ratio of each level of content, and keep them in the model.

    Args:
        model: A model whose encoder can leave tokens out; its metadata get the levels.
        scenes: Scenes like those to predict, not those of the training; labels are not needed.
        agreement: Least share of pixels of every level that must keep the class of the dense map.
        tile: Side of a tile, pixels.
        most_tiles: Tiles to try, spread evenly over each scene.
        device: Where to compute.
        progress: Called with tiles done and tiles at most.

    Returns:
        The levels. A level that no ratio suits keeps all tokens.

    Raises:
        OptionError: If a number is out of range, or no tile has a valid pixel.
    """
    if not 0 < agreement <= 1 or most_tiles < 1:
        message = (
            f"agreement {agreement} and {most_tiles} tiles: give a share above 0 and at most 1, "
            "and 1 tile or more"
        )
        raise OptionError(message)
    pruning = choose_pruning(model, ratio=1.0)
    config = PredictConfig(tile=tile, overlap=0, margin=0)
    share, trials = math.ceil(most_tiles / max(len(scenes), 1)), list[Trial]()
    with raster_environment(), ready_to_predict(model, resolve_device(device)):
        for scene in scenes:
            for cut in _tiles(scene, model, config=config, most=share):
                trials.append(_try(model, pruning, cut))
                if progress is not None:
                    progress(len(trials), share * len(scenes))
    if not trials:
        message = "no scene has a tile with valid pixels; give scenes with data"
        raise OptionError(message)
    levels = choose_levels(trials, agreement=agreement, tile=tile)
    # As it is read back from a model file.
    stored = asdict(levels)
    model.metadata[METADATA] = stored | {name: list(stored[name]) for name in ("limits", "ratios")}
    return levels


def choose_levels(trials: Sequence[Trial], *, agreement: float, tile: int) -> PruningLevels:
    """Choose ratios for groups of tiles of like content.

    Args:
        trials: The tiles, at least one.
        agreement: Least share of pixels of each group that must keep their class.
        tile: Side of the tiles, pixels.

    Returns:
        The levels.
    """
    ordered = sorted(trials, key=lambda trial: trial.content)
    split = np.array_split(np.arange(len(ordered)), min(NUM_LEVELS, len(ordered)))
    limits: list[float] = []
    ratios: list[float] = []
    same, last = 0, ordered[0]
    for part in split:
        group = [ordered[index] for index in part]
        ratio, kept = _least_ratio(group, agreement=agreement)
        same += kept
        # Levels of one ratio, or with no room between them, are one.
        if not ratios or (ratio != ratios[-1] and group[0].content > last.content):
            limits += [(last.content + group[0].content) / 2] if ratios else []
            ratios.append(ratio)
        else:
            ratios[-1] = max(ratios[-1], ratio)
        last = group[-1]
    return PruningLevels(
        limits=tuple(limits),
        ratios=tuple(ratios),
        agreement=agreement,
        reached=same / sum(trial.pixels for trial in trials),
        tile=tile,
        num_tiles=len(trials),
    )


def _least_ratio(group: Sequence[Trial], *, agreement: float) -> tuple[float, int]:
    """Return the least ratio that keeps enough classes, and the pixels that keep theirs."""
    pixels = sum(trial.pixels for trial in group)
    for number, ratio in enumerate(RATIOS):
        kept = sum(trial.same[number] for trial in group)
        if kept >= agreement * pixels:
            return ratio, kept
    return 1.0, pixels


def _tiles(
    scene: PathLike, model: SceneModel, *, config: PredictConfig, most: int
) -> Iterator[Tile]:
    """Yield pixels (C, h, w) and valid mask (h, w) of tiles spread evenly over a scene."""
    with open_scene(scene, model, config=config) as opened:
        prepared = prepare(opened, model, config=config, device="cpu")
        every, number = math.ceil(prepared.num_tiles / most), 0
        for batch in prepared.tile_source.batches(prepared.region.window):
            for pixels, valid in zip(batch.pixels, batch.valid, strict=True):
                if number % every == 0:
                    yield pixels, valid
                number += 1


def _try(model: SceneModel, pruning: Pruning, tile: Tile) -> Trial:
    """Compare a tile's dense map with that of every ratio."""
    pixels, valid = tile
    classes = []
    for ratio in (1.0, *RATIOS):
        with pruned(model, replace(pruning, ratio=ratio)):
            scores = TileScorer(model).score(pixels[None], valid[None])
        classes.append(scores[0].argmax(axis=0)[valid])
    return Trial(
        content=content_of(model, pixels, valid),
        pixels=int(valid.sum()),
        same=tuple(int((other == classes[0]).sum()) for other in classes[1:]),
    )
