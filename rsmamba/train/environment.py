"""Where a run was computed, and with what: packages, machine, the code itself and the data.

The code is told by a checksum of its files, so that a run can be traced where there is no version
control; the data by their sizes, labels and band statistics, which are known when training begins.
"""

import hashlib
import json
import math
import os
import platform
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from rsmamba.data import LabelledScene
from rsmamba.errors import ConfigError
from rsmamba.train.checkpoints import write_whole
from rsmamba.train.datamodule import ChipDataModule

_PACKAGES = (
    "rsmamba", "torch", "lightning", "numpy", "scipy", "numba", "albumentations", "rasterio",
    "safetensors", "triton", "mamba-ssm",
)  # fmt: skip


def record_session(path: Path, data: ChipDataModule, *, resumed_at: int | None = None) -> str:
    """Add this session of a run to its file.

    Args:
        path: The file; made where the run begins.
        data: The run's data.
        resumed_at: Optimiser step that the session goes on after; None where it begins the run.

    Returns:
        The run's own random name, the same in all its sessions.

    Raises:
        ConfigError: If the file of a resumed run cannot be read.
    """
    known = _read(path) if resumed_at is not None else {}
    known.setdefault("run_id", uuid.uuid4().hex[:12])
    known["data"] = describe_data(data)
    known.setdefault("sessions", []).append(describe_session() | {"resumed_at_step": resumed_at})
    text = json.dumps(known, indent=2) + "\n"
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
    return str(known["run_id"])


def check_same_data(path: Path, data: ChipDataModule) -> None:
    """Refuse to go on with other scenes than those that a run began with.

    Scenes are told by name and not by folder, since data may move.

    Args:
        path: The run's file; runs without it are not compared.
        data: The data that are there now.

    Raises:
        ConfigError: If the file cannot be read, or a scene is new, missing or changed.
    """
    before = _read(path).get("data")
    if before is None:
        return
    now = describe_data(data)
    found = next(
        (text for split in ("train", "validation") for text in _changes(split, before, now)), None
    )
    alike = all(
        len(before[name]) == len(now[name])
        and all(map(partial(math.isclose, rel_tol=1e-6), before[name], now[name]))
        for name in ("mean", "std")
    )
    if found is None and not alike:
        found = f"the mean of the bands was {before['mean']} and is {now['mean']}"
    if found is not None:
        msg = (
            f"the run in {path.parent} was started with other data: {found}; give the data that it "
            "began with, or begin another run in another trainer.run_dir"
        )
        raise ConfigError(msg)


def _changes(split: str, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What became of the scenes of a split, one text a scene that is not as it was."""
    old, new = ({Path(s["image"]).name: s for s in side[split]} for side in (before, now))
    for name in sorted({*old, *new}):
        if name not in new or name not in old:
            yield f"the {split} scene {name} is {'missing' if name in old else 'new'}"
            continue
        for key in ("rows", "height", "width", "bands", "dtype", "class_pixels"):
            was, value = old[name].get(key), new[name][key]
            if was != value:
                yield f"{key} of the {split} scene {name} was {was} and is {value}"


def _read(path: Path) -> dict[str, Any]:
    """What the file holds; nothing where there is none."""
    if not path.exists():
        return {}
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known.get("data")
    except (OSError, ValueError, AttributeError) as error:
        msg = f"{path} cannot be read ({error}); remove it to continue the run without its record"
        raise ConfigError(msg) from error
    return known


def describe_session() -> dict[str, Any]:
    """Describe this process.

    Returns:
        Start, command, checksum of the package's code, versions and machine, as plain values.
    """
    memory = psutil.virtual_memory().total
    return {
        "started": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "code_sha256": code_checksum(Path(__file__).resolve().parent.parent),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cpu_threads": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_bytes": memory,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
    }


def describe_data(data: ChipDataModule) -> dict[str, Any]:
    """Describe what is trained and validated on.

    Args:
        data: The run's data.

    Returns:
        Scenes of both splits and the band statistics, as plain values.
    """
    return {
        "train": [_scene(scene) for scene in data.train_scenes],
        "validation": [_scene(scene) for scene in data.validation_scenes],
        "mean": list(data.statistics.mean),
        "std": list(data.statistics.std),
    }


def _scene(scene: LabelledScene) -> dict[str, Any]:
    return {
        "image": str(scene.pair.image),
        "mask": str(scene.pair.mask),
        "rows": list(scene.pair.rows),
        "height": scene.height,
        "width": scene.width,
        "bands": scene.num_bands,
        "dtype": str(scene.dtype),
        "class_pixels": scene.label_counts.tolist(),
    }


def code_checksum(folder: Path) -> str:
    """Compute one SHA-256 over all Python files of a folder, by name and content.

    Args:
        folder: The folder.

    Returns:
        The checksum in hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def cpu_name() -> str:
    """Return what the CPU calls itself, or its architecture where nothing tells.

    Returns:
        Such as "AMD EPYC 7B13".
    """
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
