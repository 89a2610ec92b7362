"""run_batch: predict every scene that is not done; none stops the others."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from rsmamba.batch.crew import Crew
from rsmamba.batch.inputs import find_scenes
from rsmamba.batch.jobs import DEFAULT_NAME, SceneJob, make_jobs
from rsmamba.batch.records import Records, check_folder, was_made_of
from rsmamba.batch.result import (
    DONE_BY_ANOTHER,
    IS_DONE,
    BatchResult,
    Finished,
    SceneOutcome,
)
from rsmamba.errors import OutputBusyError, OutputExistsError, RsmambaError
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PathLike, PredictConfig

_LOGGER = logging.getLogger(__name__)


class BatchProgress(Protocol):
    """Hears how far a batch is."""

    def __call__(self, done: int, total: int) -> None:
        """Take note.

        Args:
            done: Scenes that are done, skipped or failed.
            total: Scenes of the batch.
        """


def run_batch(
    inputs: Sequence[PathLike],
    out: PathLike,
    *,
    model: PathLike | SceneModel = "default",
    device: str = "auto",
    name: str = DEFAULT_NAME,
    extra: Sequence[str] = (),
    asset: str | None = None,
    workers: int = 1,
    threads: int | None = None,
    scheduler: str | None = None,
    resources: Mapping[str, float] | None = None,
    progress: BatchProgress | None = None,
    **options: Any,  # noqa: ANN401 - PredictConfig checks them
) -> BatchResult:
    """Predict many scenes into a folder.

    A scene whose map is there, made of the same scene, model and options, is skipped; one that was
    stopped goes on; one that fails does not stop the others.

    Args:
        inputs: Rasters, folders, globs, lists (``.txt``), tables (``.csv``) and STAC files.
        out: Folder of the class maps; made if absent.
        model: A model, a model file, or the name of a bundled model.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        name: Name of a class map below the folder, with ``{folder}``, ``{stem}``, ``{suffix}``
            and ``{number}``.
        extra: Other outputs beside each map: "probabilities", "confidence", "quicklook", and
            one of "vectors.gpkg", "vectors.parquet", "vectors.geojson".
        asset: Key of the asset of STAC items; None chooses.
        workers: Processes of this machine; the maps are the same bytes for any number.
        threads: Threads of the network in each worker; None takes those of this process.
        scheduler: Address of a Dask scheduler or path of its file, whose workers are used instead.
        resources: What a task asks of a Dask worker, such as ``{"GPU": 1}``.
        progress: Called as the work goes on.
        **options: The other options of ``predict``, for all scenes.

    Returns:
        What became of each scene.

    Raises:
        DataError: If an input is not there or holds no scene.
        OptionError: If an option is not allowed, or two scenes get one output.
        ClusterError: If there is no scheduler, or it is lost.
    """
    started = time.perf_counter()
    folder, config = Path(out).absolute(), PredictConfig(**options)
    scenes = find_scenes([str(given) for given in inputs], leave_out=folder, asset=asset)
    jobs = make_jobs(scenes, folder, config=config, name=name, extra=extra)
    crew = Crew(
        model=model,
        device=device,
        workers=workers,
        threads=threads,
        scheduler=scheduler,
        resources=resources,
    )
    outcomes: dict[Path, SceneOutcome] = {}
    for outcome in _run(jobs, folder, crew):
        outcomes[outcome.out] = outcome
        _tell(outcome)
        if progress is not None:
            progress(len(outcomes), len(jobs))
    return BatchResult(
        out=folder,
        scenes=tuple(outcomes[job.out] for job in jobs),
        seconds=time.perf_counter() - started,
    )


def _run(jobs: Sequence[SceneJob], folder: Path, crew: Crew) -> Iterator[SceneOutcome]:
    check_folder(folder)
    records = Records(folder, model_key=crew.model_key)
    todo = []
    for job in jobs:
        known = _known(job, records)
        if known is None:
            todo.append(job)
        else:
            yield known
    if not todo:
        return
    busy = []
    for job, finished in crew.finish(todo):
        if isinstance(finished, OutputBusyError):
            busy.append((job, finished))
        elif isinstance(finished, OutputExistsError) and was_made_of(job, crew.model):
            records.add(job)
            yield _skipped(job, IS_DONE)
        elif isinstance(finished, Exception):
            yield _failed(job, _reason(finished))
        else:
            records.add(job)
            yield _done(job, finished)
    # Another batch had these; by now it may be done with them.
    records = Records(folder, model_key=crew.model_key)
    for job, error in busy:
        yield _skipped(job, DONE_BY_ANOTHER if records.is_done(job) else str(error))


def _known(job: SceneJob, records: Records) -> SceneOutcome | None:
    if job.reason is not None:
        return _failed(job, job.reason)
    is_done = not job.config.overwrite and records.is_done(job)
    return _skipped(job, IS_DONE) if is_done else None


def _done(job: SceneJob, finished: Finished) -> SceneOutcome:
    facts = asdict(finished)
    seconds = facts.pop("seconds")
    return SceneOutcome(scene=job.scene, out=job.out, status="done", seconds=seconds, facts=facts)


def _skipped(job: SceneJob, reason: str) -> SceneOutcome:
    return SceneOutcome(scene=job.scene, out=job.out, status="skipped", reason=reason)


def _failed(job: SceneJob, reason: str) -> SceneOutcome:
    return SceneOutcome(scene=job.scene, out=job.out, status="failed", reason=reason)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, RsmambaError) else f"{type(error).__name__}: {text}"


def _tell(outcome: SceneOutcome) -> None:
    level = logging.WARNING if outcome.status == "failed" else logging.INFO
    _LOGGER.log(level, "%s %s: %s", outcome.status, outcome.scene, outcome.reason or outcome.out)
