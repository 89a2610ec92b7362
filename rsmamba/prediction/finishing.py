"""From whatever an earlier run left to complete outputs."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rsmamba.classes import ClassScheme
from rsmamba.errors import OutputError
from rsmamba.geo.remainder import uncovered
from rsmamba.geo.strip_store import Strip, StripStore
from rsmamba.geo.window import Window
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.assembly import Assembled, assemble, is_being_published
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.outputs import OutputPaths, kinds_of
from rsmamba.prediction.passes import Progress, run_passes
from rsmamba.prediction.preparation import Prepared
from rsmamba.prediction.work import SceneWork

log = logging.getLogger(__name__)

# A disk that spoils what was just written does not get better.
_MOST_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """What this run did.

    Attributes:
        computed_pixels: Pixels that this run computed.
        tiles_computed: Tiles that the network saw.
        tiles_skipped: Tiles without a wanted pixel.
        seconds_per_pixel: Usual time of the network for a pixel of a tile; None without any.
    """

    computed_pixels: int = 0
    tiles_computed: int = 0
    tiles_skipped: int = 0
    seconds_per_pixel: float | None = None


def find_outputs(out: PathLike, *, config: PredictConfig, scene: PathLike) -> OutputPaths:
    """Check all output paths before any work is done.

    Args:
        out: The class map.
        config: The other outputs.
        scene: The input, which no output may replace.

    Returns:
        The absolute paths. Outputs may exist where an earlier run may have been stopped while it
        gave them their names.
    """
    may_exist = config.overwrite or is_being_published(Path(os.path.realpath(out)))
    return OutputPaths.check(out, config=config, scene=scene, overwrite=may_exist)


def finish(
    prepared: Prepared,
    work: SceneWork,
    *,
    model: SceneModel,
    tags: Mapping[str, str],
    progress: Progress | None = None,
) -> tuple[Assembled, WorkDone]:
    """Compute what is left of a scene and assemble its outputs.

    Args:
        prepared: The prediction.
        work: The work, begun.
        model: The model, on its device.
        tags: Provenance.
        progress: Called as the work goes on.

    Returns:
        The complete outputs, and what was done for them.
    """
    store = store_of(prepared, model.classes, folder=work.folder, paths=work.paths)
    strips, done = finish_strips(prepared, store, model=model, progress=progress)
    assembled = assemble(
        store, strips, paths=work.paths, grid=prepared.grid, config=prepared.config, tags=tags
    )
    return assembled, done


def store_of(
    prepared: Prepared, classes: ClassScheme, *, folder: Path, paths: OutputPaths
) -> StripStore:
    """Return the strips of a prediction.

    Args:
        prepared: The prediction.
        classes: Classes of the map.
        folder: Where its strips are.
        paths: Where the outputs go.

    Returns:
        The store.
    """
    kinds = kinds_of(classes, config=prepared.config)
    return StripStore(folder, kinds=kinds, target=paths.class_map)


def finish_strips(
    prepared: Prepared,
    store: StripStore,
    *,
    model: SceneModel,
    part: Window | None = None,
    progress: Progress | None = None,
) -> tuple[list[Strip], WorkDone]:
    """Compute the strips that are not there yet.

    Args:
        prepared: The prediction.
        store: The strips.
        model: The model, on its device.
        part: What to compute, in pixels of the outputs; None for all.
        progress: Called as the work goes on.

    Returns:
        The strips that cover the part, and what was done.

    Raises:
        OutputError: If strips are damaged again and again.
    """
    grid = prepared.grid
    whole = part or Window(row=0, col=0, height=grid.height, width=grid.width)
    work = WorkDone()
    for _ in range(_MOST_ROUNDS):
        strips = store.strips(within=part)
        left = uncovered(whole, [strip.window for strip in strips])
        if not left:
            return strips, work
        pixels = sum(window.num_pixels for window in left)
        if pixels < whole.num_pixels:
            log.info(
                "%s: goes on, %.0f %% done", store.target, 100 - 100 * pixels / whole.num_pixels
            )
        counts = run_passes(prepared, store, model=model, windows=left, progress=progress)
        work = replace(
            work,
            computed_pixels=work.computed_pixels + pixels,
            tiles_computed=work.tiles_computed + counts.computed,
            tiles_skipped=work.tiles_skipped + counts.skipped,
            seconds_per_pixel=counts.seconds_per_pixel if counts.computed else None,
        )
    message = f"strips of {store.target} are damaged as soon as they are written; check the disk"
    raise OutputError(message)
