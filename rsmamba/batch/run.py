"""run_batch: predict every scene that is not done; none stops the others."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from rsmamba.batch.inputs import find_scenes
from rsmamba.batch.jobs import DEFAULT_NAME, SceneJob, make_jobs
from rsmamba.batch.records import Records, check_folder, model_key, was_made_of
from rsmamba.batch.result import BatchResult, SceneOutcome
from rsmamba.errors import OutputBusyError, OutputExistsError, RsmambaError
from rsmamba.models.model_file import load_model, resolve_device
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.engine import predict_scene
from rsmamba.prediction.result import PredictResult

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
        extra: Other outputs beside each map: "probabilities", "confidence", "quicklook".
        asset: Key of the asset of STAC items; None chooses.
        progress: Called as the work goes on.
        **options: The other options of ``predict``, for all scenes.

    Returns:
        What became of each scene.

    Raises:
        DataError: If an input is not there or holds no scene.
        OptionError: If an option is not allowed, or two scenes get one output.
    """
    started = time.perf_counter()
    folder, config = Path(out).absolute(), PredictConfig(**options)
    scenes = find_scenes([str(given) for given in inputs], leave_out=folder, asset=asset)
    jobs = make_jobs(scenes, folder, config=config, name=name, extra=extra)
    resolve_device(device)
    outcomes: dict[Path, SceneOutcome] = {}
    for outcome in _run(jobs, folder, model=model, device=device):
        outcomes[outcome.out] = outcome
        _tell(outcome)
        if progress is not None:
            progress(len(outcomes), len(jobs))
    return BatchResult(
        out=folder,
        scenes=tuple(outcomes[job.out] for job in jobs),
        seconds=time.perf_counter() - started,
    )


def _run(
    jobs: Sequence[SceneJob], folder: Path, *, model: PathLike | SceneModel, device: str
) -> Iterator[SceneOutcome]:
    key = model_key(model)
    check_folder(folder)
    records = Records(folder, model_key=key)
    todo = []
    for job in jobs:
        known = _known(job, records)
        if known is None:
            todo.append(job)
        else:
            yield known
    if not todo:
        return
    loaded = model if isinstance(model, SceneModel) else load_model(model, device)
    busy = []
    for job, finished in finish_here(todo, model=loaded, device=device):
        if isinstance(finished, OutputBusyError):
            busy.append((job, finished))
        elif isinstance(finished, OutputExistsError) and was_made_of(job, loaded):
            records.add(job)
            yield _skipped(job, "is done")
        elif isinstance(finished, Exception):
            yield _failed(job, _reason(finished))
        else:
            records.add(job)
            yield _done(job, finished)
    # Another batch had these; by now it may be done with them.
    records = Records(folder, model_key=key)
    for job, error in busy:
        yield _skipped(job, "is done by another run" if records.is_done(job) else str(error))


def _known(job: SceneJob, records: Records) -> SceneOutcome | None:
    if job.reason is not None:
        return _failed(job, job.reason)
    is_done = not job.config.overwrite and records.is_done(job)
    return _skipped(job, "is done") if is_done else None


def finish_here(
    jobs: Iterable[SceneJob], *, model: SceneModel, device: str
) -> Iterator[tuple[SceneJob, PredictResult | Exception]]:
    """Predict scenes one after the other in this process.

    Args:
        jobs: The scenes.
        model: The model.
        device: Where to compute.

    Yields:
        Each job, with what came out or what stopped it.
    """
    for job in jobs:
        try:
            check_folder(job.out.parent)
            result = predict_scene(
                job.scene, job.out, model=model, config=job.config, device=device
            )
        except Exception as error:  # noqa: BLE001 - whatever stops one scene does not stop the others
            yield job, error
        else:
            yield job, result


def _done(job: SceneJob, result: PredictResult) -> SceneOutcome:
    facts = {
        "pixels": result.num_pixels,
        "masked_pixels": result.masked_pixels,
        "resumed_pixels": result.resumed_pixels,
        "class_pixels": result.class_pixels,
        "cpu_seconds": result.cpu_seconds,
    }
    return SceneOutcome(
        scene=job.scene, out=job.out, status="done", seconds=result.seconds, facts=facts
    )


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
