"""What workers do: survey a scene, compute a block of its strips, assemble its outputs.

Each function opens what it needs and may run in any process that sees the same files. Strips that
are finished already are not computed again, so a task may be repeated at any time.
"""

import functools
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rsmamba.errors import RsmambaError, SceneError
from rsmamba.geo.environment import raster_environment
from rsmamba.geo.window import Window
from rsmamba.models.model_file import load_model, resolve_device
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.assembly import Assembled, assemble
from rsmamba.prediction.companions import write_companions
from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.finishing import finish_strips, store_of
from rsmamba.prediction.identity import identity_of, versions_of
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.preparation import Prepared, open_scene, prepare
from rsmamba.prediction.provenance import provenance
from rsmamba.prediction.pruning import pruned_as_configured
from rsmamba.prediction.scoring import ready_to_predict

# A worker with several threads has one model, and computes one block at a time.
_AT_WORK = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneTask:
    """What a worker has to know of a scene.

    Attributes:
        scene: Path of the scene, the same for all workers.
        paths: Where the outputs go.
        config: The options.
        model: Model file, or name of a bundled model.
        model_key: Hash of the model file, so that a changed file is loaded again.
        device: Where to compute.
        threads: Threads of the network; scores depend on it in their last bits.
    """

    scene: str
    paths: OutputPaths
    config: PredictConfig
    model: str
    model_key: str
    device: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is found out before a scene is distributed.

    Attributes:
        identity: All that the outputs depend on.
        tags: Provenance.
        height: Rows of the outputs.
        width: Columns of the outputs.
        cuts: Rows at which the work is cut most cheaply.
    """

    identity: Mapping[str, Any]
    tags: Mapping[str, str]
    height: int
    width: int
    cuts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDone:
    """A finished block.

    Attributes:
        computed_pixels: Pixels that were computed; the others were there.
        cpu_seconds: Processor time of the worker.
    """

    computed_pixels: int
    cpu_seconds: float


def survey(task: SceneTask) -> Survey:
    """Open a scene and say what its work is.

    Args:
        task: The scene.

    Returns:
        What has to be known to cut the work.
    """
    with _opened(task) as (prepared, model, place):
        task.paths.keep(prepared.scene.files)
        tags = provenance(task.scene, model, config=task.config, stretch=prepared.stretch)
        return Survey(
            identity=identity_of(prepared, model, tags=tags, paths=task.paths, device=place),
            tags=tags,
            height=prepared.grid.height,
            width=prepared.grid.width,
            cuts=_cuts(prepared),
        )


def compute_block(task: SceneTask, found: Survey, folder: Path, block: Window) -> BlockDone:
    """Compute the strips of a block that are not there yet.

    Args:
        task: The scene.
        found: Its survey.
        folder: Where the strips go.
        block: The block, in pixels of the outputs.

    Returns:
        What was done.

    Raises:
        RsmambaError: If this worker has other versions than the one that made the survey, or does
            not see the same scene.
    """
    started = _cpu_seconds()
    with _opened(task, quiet=True) as (prepared, model, place):
        _check_worker(found, prepared, versions_of(model, place), task=task)
        store = store_of(prepared, model.classes, folder=folder, paths=task.paths)
        _, done = finish_strips(prepared, store, model=model, part=block)
    return BlockDone(computed_pixels=done.computed_pixels, cpu_seconds=_cpu_seconds() - started)


def assemble_scene(task: SceneTask, found: Survey, folder: Path) -> Assembled:
    """Make the finished files of a scene from its strips.

    Args:
        task: The scene.
        found: Its survey.
        folder: Where the strips are.

    Returns:
        What waits for its names.
    """
    with _opened(task, quiet=True) as (prepared, model, _):
        store = store_of(prepared, model.classes, folder=folder, paths=task.paths)
        # Strips that were damaged since they were written are made again.
        strips, _ = finish_strips(prepared, store, model=model)
        done = assemble(
            store,
            strips,
            paths=task.paths,
            grid=prepared.grid,
            config=task.config,
            tags=found.tags,
        )
        write_companions(prepared, done, paths=task.paths, key=folder.name, model=model)
        return done


@contextmanager
def _opened(
    task: SceneTask, *, quiet: bool = False
) -> Iterator[tuple[Prepared, SceneModel, torch.device]]:
    # What there is to remark about a scene, its survey has said.
    logging.getLogger("rsmamba").setLevel(logging.ERROR if quiet else logging.WARNING)
    place = resolve_device(task.device)
    with _AT_WORK, raster_environment():
        torch.set_num_threads(task.threads)
        model = _load(task.model, task.model_key, str(place))
        with (
            open_scene(task.scene, model, config=task.config) as scene,
            ready_to_predict(model, place),
            pruned_as_configured(model, task.config),
        ):
            yield prepare(scene, model, config=task.config, device=str(place)), model, place


@functools.lru_cache(maxsize=2)
def _load(model: str, model_key: str, device: str) -> SceneModel:
    del model_key
    return load_model(model, device)


def _cuts(prepared: Prepared) -> tuple[int, ...]:
    """Return the middle of each tile row: there only one tile row is computed for both sides."""
    tiles, region = prepared.tiles, prepared.region.window
    rows_per_row = prepared.scene.grid.height / tiles.height
    middles = [start + tiles.tile_height / 2 for start in tiles.row_starts]
    rows = [round(middle * rows_per_row) - region.row for middle in middles]
    return tuple(row for row in rows if 0 < row < region.height)


def _check_worker(
    found: Survey, prepared: Prepared, versions: Mapping[str, Any], *, task: SceneTask
) -> None:
    expected = found.identity["versions"]
    if versions != expected:
        names = [name for name in expected if expected[name] != versions.get(name)]
        message = (
            f"the workers of one scene must be alike: here {names[0]} is {versions[names[0]]}, and "
            f"where {task.scene} was begun it is {expected[names[0]]}"
        )
        raise RsmambaError(message)
    grid = prepared.grid
    if (grid.height, grid.width) != (found.height, found.width):
        message = f"{task.scene} is another file for this worker; all must see the same folders"
        raise SceneError(message)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system
