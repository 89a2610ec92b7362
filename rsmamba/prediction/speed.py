"""How fast models were on this machine, remembered from one command to the next.

With it a plan can tell its time without loading torch and without running the network. What is
remembered is a hint: if it cannot be kept or read, nothing fails.
"""

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from importlib import metadata
from pathlib import Path

import platformdirs
import psutil

from rsmamba.models.model_header import ModelHeader
from rsmamba.prediction.config import PredictConfig

# Folder for what may be deleted at any time; the user's cache folder otherwise.
FOLDER_VARIABLE = "RSMAMBA_CACHE_DIR"
_MOST_ENTRIES = 256
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def remembered_speed(header: ModelHeader, config: PredictConfig) -> float | None:
    """Return how long the network of a model took on the CPU of this machine.

    Args:
        header: The model file.
        config: Test-time augmentation, precision and pruning.

    Returns:
        Seconds a pixel of a tile; None if no prediction with this very file was made.
    """
    seconds = _read().get(_key(header, config))
    return seconds if isinstance(seconds, float) and seconds > 0 else None


def remember_speed(header: ModelHeader, config: PredictConfig, *, seconds_per_pixel: float) -> None:
    """Keep how long the network of a model took on the CPU.

    Args:
        header: The model file.
        config: Test-time augmentation, precision and pruning.
        seconds_per_pixel: Seconds a pixel of a tile, above 0.
    """
    key = _key(header, config)
    kept = {name: value for name, value in _read().items() if name != key}
    newest = list(kept.items())[1 - _MOST_ENTRIES :]
    text = json.dumps(dict(newest) | {key: seconds_per_pixel}, indent=1)
    path = _file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as part:
            part.write(text)
        try:
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise


def _read() -> dict[str, object]:
    try:
        values = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _file() -> Path:
    folder = os.environ.get(FOLDER_VARIABLE) or platformdirs.user_cache_dir("rsmamba")
    return Path(folder) / "speed.json"


def _key(header: ModelHeader, config: PredictConfig) -> str:
    """Name everything that decides the speed."""
    parts = {
        "model": header.digest,
        "tta": config.tta,
        "amp": config.amp,
        "prune": [config.prune, config.prune_flops],
        "version": metadata.version("rsmamba"),
        "machine": [platform.node(), platform.machine(), psutil.cpu_count()],
        "threads": [os.environ.get(name) for name in _THREAD_VARIABLES],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
