"""Provenance: what is written into an output so that it can be made again."""

import hashlib
import json
from importlib import metadata
from pathlib import Path

import torch

from rsmamba.errors import BackendError
from rsmamba.geo.environment import is_local
from rsmamba.models.scene_model import SceneModel
from rsmamba.ops.dispatch import choose
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.stretch import Stretch


def provenance(
    scene: PathLike, model: SceneModel, *, config: PredictConfig, stretch: Stretch | None
) -> dict[str, str]:
    """Collect version, model, options and input.

    Args:
        scene: The input.
        model: The model.
        config: The options.
        stretch: How pixel values were stretched.

    Returns:
        Texts by name. Size and checksum of the input are those of the file itself, and are left out
        where it is not a local file.
    """
    tags = {
        "version": metadata.version("rsmamba"),
        "model": model.name,
        "model_hash": model.fingerprint(),
        "options": json.dumps(config.to_dict(), sort_keys=True),
        "input": str(scene).rsplit("/", maxsplit=1)[-1],
    }
    if stretch is not None:
        tags["stretch"] = stretch.describe()
    path = Path(scene)
    if is_local(path) and path.is_file():
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        tags |= {"input_bytes": str(path.stat().st_size), "input_sha256": checksum}
    return tags


def backends_of(model: SceneModel, device: torch.device) -> dict[str, str]:
    """Tell which kernels a network of the package uses.

    Args:
        model: The model.
        device: Where it computes.

    Returns:
        Backend by operator; empty for a network that is not from the package.
    """
    if model.architecture is None:
        return {}
    backend = model.architecture.options.get("backend", "auto")
    try:
        chosen = choose("ss2d_scan", backend=backend, device=device, dtype=torch.float32)
    except BackendError as error:
        return {"ss2d_scan": f"unavailable: {error}"}
    return {"ss2d_scan": chosen}
