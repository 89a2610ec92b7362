"""Who predicts the scenes of a batch: this process, several, or a Dask cluster."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import torch

from rsmamba.batch.distribution import Distribution
from rsmamba.batch.jobs import SceneJob
from rsmamba.batch.pools import DaskPool, Pool, ProcessPool
from rsmamba.batch.records import check_folder, key_of_model
from rsmamba.batch.result import Finished
from rsmamba.errors import OptionError
from rsmamba.models.model_file import load_model, resolve_device
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PathLike
from rsmamba.prediction.engine import predict_scene

log = logging.getLogger(__name__)


class Crew:
    """Predicts scenes with one model.

    Args:
        model: A model, a model file, or the name of a bundled model.
        device: Where to compute.
        workers: Processes of this machine.
        threads: Threads of the network in each; None takes those of this process.
        scheduler: Address or file of a Dask scheduler, whose workers are used instead.
        resources: What a task asks of a Dask worker.

    Attributes:
        model_key: Hash of the model.

    Raises:
        OptionError: If workers shall compute with a model that is no file.
    """

    def __init__(
        self,
        *,
        model: PathLike | SceneModel,
        device: str = "auto",
        workers: int = 1,
        threads: int | None = None,
        scheduler: str | None = None,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self._given = model
        self._device = device
        self._workers = workers
        self._scheduler = scheduler
        self._resources = dict(resources or {})
        if scheduler is None:
            resolve_device(device)
        if isinstance(model, SceneModel) and not self._is_alone:
            message = "workers read the model from a file; save it and give the file's name"
            raise OptionError(message)
        if workers > 1 and scheduler is not None:
            message = f"workers {workers} and scheduler {scheduler} are two ways; give one of them"
            raise OptionError(message)
        self.model_key = key_of_model(model)
        self._threads = threads or torch.get_num_threads()
        cores = os.cpu_count() or 1
        if scheduler is None and workers > 1 and workers * self._threads > cores:
            log.warning(
                "%d workers with %d threads each share %d cores; --threads %d may be faster (the "
                "last bits of scores depend on it)",
                workers,
                self._threads,
                cores,
                max(cores // workers, 1),
            )

    @cached_property
    def model(self) -> SceneModel:
        """The model, loaded in this process."""
        given = self._given
        device = "cpu" if self._scheduler else self._device
        return given if isinstance(given, SceneModel) else load_model(given, device)

    def finish(self, jobs: Iterable[SceneJob]) -> Iterator[tuple[SceneJob, Finished | Exception]]:
        """Predict scenes.

        Args:
            jobs: The scenes.

        Yields:
            Each job, as it ends, with what came out or what stopped it.

        Raises:
            ClusterError: If there is no scheduler, or it is lost.
        """
        if self._is_alone:
            torch.set_num_threads(self._threads)
            yield from finish_here(jobs, model=self.model, device=self._device)
            return
        pool = self._pool()
        try:
            distribution = Distribution(
                jobs,
                pool=pool,
                model=_absolute(str(self._given)),
                model_key=self.model_key,
                device=self._device,
                threads=self._threads,
            )
            yield from distribution.finish()
        finally:
            pool.close()

    @property
    def _is_alone(self) -> bool:
        return self._workers == 1 and self._scheduler is None

    def _pool(self) -> Pool:
        if self._scheduler is None:
            return ProcessPool(self._workers)
        return DaskPool(self._scheduler, resources=self._resources)


def finish_here(
    jobs: Iterable[SceneJob], *, model: SceneModel, device: str
) -> Iterator[tuple[SceneJob, Finished | Exception]]:
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
        except Exception as error:  # noqa: BLE001 - what stops one scene does not stop the others
            yield job, error
            continue
        yield (
            job,
            Finished(
                seconds=result.seconds,
                cpu_seconds=result.cpu_seconds,
                pixels=result.num_pixels,
                masked_pixels=result.masked_pixels,
                resumed_pixels=result.resumed_pixels,
                class_pixels=tuple(result.class_pixels.values()),
            ),
        )


def _absolute(model: str) -> str:
    """Workers may have another working folder; names of bundled models stay."""
    return str(Path(model).absolute()) if Path(model).exists() else model
