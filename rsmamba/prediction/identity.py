"""Identity: what decides the bytes of the outputs, so that work can be taken up again safely."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from rsmamba.geo.environment import is_local
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.preparation import Prepared
from rsmamba.prediction.provenance import backends_of

_PACKAGES = ("rsmamba", "torch", "numpy", "numba", "rasterio")
# What a part of an identity is called where two are compared.
_WORDS = {
    "model": "model",
    "options": "options",
    "scene": "scene",
    "outputs": "outputs",
    "versions": "version, device or number of threads",
}


def identity_of(
    prepared: Prepared,
    model: SceneModel,
    *,
    tags: Mapping[str, str],
    paths: OutputPaths,
    device: torch.device,
) -> dict[str, Any]:
    """Collect all that the outputs depend on.

    Args:
        prepared: The prediction.
        model: The model.
        tags: Provenance, as it is written into the outputs.
        paths: Where the outputs go.
        device: Where the network computes.

    Returns:
        Plain values, by part.
    """
    config, region = prepared.config, prepared.region
    scene_tags = ("input", "input_bytes", "input_sha256")
    return {
        "model": [tags["model"], tags["model_hash"]],
        "options": {
            "tags": {key: text for key, text in tags.items() if key.startswith(("opt", "str"))},
            "window": asdict(region.window),
            "polygons": _digest(region.polygons),
            "creation": asdict(config.creation),
        },
        "scene": {
            "tags": [tags.get(name) for name in scene_tags],
            "grid": repr(prepared.scene.grid),
            "files": [_file_state(Path(path)) for path in prepared.scene.files[1:]],
        },
        "outputs": {
            "paths": {name: str(path) for name, path in paths.rasters().items()},
            "dtype": config.prob_dtype,
        },
        "versions": versions_of(model, device),
    }


def versions_of(model: SceneModel, device: torch.device) -> dict[str, Any]:
    """Collect what computes.

    Args:
        model: The model.
        device: Where it computes.

    Returns:
        Versions of packages, type of the device, threads and kernels.
    """
    return {
        **{name: metadata.version(name) for name in _PACKAGES},
        "device": device.type,
        # Libraries sum in another order with another number of threads.
        "threads": torch.get_num_threads(),
        "backends": backends_of(model, device),
    }


def key_of(identity: Mapping[str, Any]) -> str:
    """Return a short name for an identity.

    Args:
        identity: All that the outputs depend on.

    Returns:
        Sixteen hexadecimal digits.
    """
    return _digest(identity)[:16]


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Say in which parts two identities differ.

    Args:
        first: An identity.
        second: Another.

    Returns:
        Words such as ``"model, options"``.

    Example:
        >>> differences({"model": 1, "scene": 2}, {"model": 3, "scene": 2})
        'model'
    """
    found = [word for part, word in _WORDS.items() if first.get(part) != second.get(part)]
    return ", ".join(found) or "state"


def _digest(values: Any) -> str:  # noqa: ANN401 - plain values
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _file_state(path: Path) -> list[Any]:
    if not (is_local(path) and path.exists()):
        return [str(path)]
    state = path.stat()
    return [path.name, state.st_size, state.st_mtime_ns]
