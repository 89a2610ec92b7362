"""Records of a folder of outputs: which were made of what, so that a batch does nothing twice."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import RasterioError

from rsmamba.batch.jobs import SceneJob
from rsmamba.errors import OutputError
from rsmamba.geo.environment import is_local, no_georeference_warning
from rsmamba.geo.journal import append_entry, read_entries
from rsmamba.geo.output import write_errors
from rsmamba.geo.provenance import provenance_of_tags
from rsmamba.models.model_header import read_header
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PathLike
from rsmamba.prediction.provenance import provenance

RECORDS_NAME = ".rsmamba-batch.jsonl"
_COMPARED_TAGS = ("model_hash", "options", "input_sha256")


class Records:
    """What was finished in a folder. Several batches may share the file.

    Args:
        folder: The folder of the outputs, which exists.
        model_key: Hash of the model.
    """

    def __init__(self, folder: Path, *, model_key: str) -> None:
        self._folder = folder
        self._path = folder / RECORDS_NAME
        self._model_key = model_key
        self._entries = {entry["out"]: entry for entry in read_entries(self._path)}

    def is_done(self, job: SceneJob) -> bool:
        """Say whether a job's outputs are there, made of the same scene, model and options.

        Args:
            job: The job.

        Returns:
            True if nothing has changed since they were made.
        """
        found = self._entries.get(self._name(job))
        return found is not None and found == self._entry(job)

    def add(self, job: SceneJob) -> None:
        """Note that a job is done.

        Args:
            job: The job.

        Raises:
            OutputError: If the note cannot be written.
        """
        entry = self._entry(job)
        with write_errors(self._path):
            append_entry(self._path, entry)
        self._entries[entry["out"]] = entry

    def _name(self, job: SceneJob) -> str:
        return job.out.relative_to(self._folder).as_posix()

    def _entry(self, job: SceneJob) -> dict[str, Any]:
        outputs = {path.name: _state(path) for path in outputs_of(job)}
        return {
            "out": self._name(job),
            "request": _request(job, self._model_key),
            "scene": _state(job.scene),
            "outputs": outputs,
        }


def outputs_of(job: SceneJob) -> tuple[Path, ...]:
    """Return the outputs of a job.

    Args:
        job: The job.

    Returns:
        The class map, then the others.
    """
    config = job.config
    others = (config.probabilities, config.confidence, config.quicklook, config.vectors)
    return (job.out, *(Path(path) for path in others if path is not None))


def key_of_model(model: PathLike | SceneModel) -> str:
    """Return a hash of a model; a file is not loaded for it.

    Args:
        model: A model, a model file, or the name of a bundled model.

    Returns:
        Hexadecimal digits.
    """
    if isinstance(model, SceneModel):
        return model.fingerprint()
    with read_header(model).path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def was_made_of(job: SceneJob, model: SceneModel) -> bool:
    """Say whether the outputs that exist are those that a job would make, by the map's own tags.

    Args:
        job: The job.
        model: The model.

    Returns:
        True if all outputs exist, and model, options and checksum of the scene are the same.
    """
    if not all(path.is_file() for path in outputs_of(job)):
        return False
    wanted = provenance(job.scene, model, config=job.config, stretch=None)
    found = provenance_of_tags(_tags(job.out))
    return all(
        wanted.get(name) is not None and wanted[name] == found.get(name) for name in _COMPARED_TAGS
    )


def check_folder(folder: Path) -> None:
    """Make the folder of the outputs.

    Args:
        folder: The folder.

    Raises:
        OutputError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"output folder {folder} cannot be made: {error.strerror}; give another"
        raise OutputError(message) from error


def _tags(path: Path) -> Mapping[str, str]:
    try:
        with no_georeference_warning(), rasterio.open(path) as dataset:
            tags: dict[str, str] = dataset.tags()
    except RasterioError:
        return {}
    return tags


def _request(job: SceneJob, key: str) -> str:
    config = job.config
    wanted: dict[str, Any] = {
        "scene": str(Path(job.scene).absolute()) if is_local(job.scene) else job.scene,
        "model": key,
        "options": config.to_dict(),
        "aoi": None if config.aoi is None else _state(config.aoi),
        "creation": asdict(config.creation),
        "dtype": config.prob_dtype,
    }
    # Named only where there are some, so that older outputs are known again.
    if config.vectors is not None:
        wanted["outlines"] = [config.simplify, config.min_pixels]
    return hashlib.sha256(json.dumps(wanted, sort_keys=True, default=str).encode()).hexdigest()


def _state(path: PathLike) -> list[int] | None:
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]
