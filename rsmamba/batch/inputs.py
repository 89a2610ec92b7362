"""From what the user names to scenes: files, folders, globs, lists, tables and STAC."""

import csv
import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rsmamba.batch.stac import stac_scenes
from rsmamba.errors import DataError
from rsmamba.geo.environment import is_local

SCENE_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg")
_MAGIC = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneInput:
    """A scene that was found.

    Attributes:
        scene: Its path, or what else GDAL opens.
        folder: Its folder below the input that it was found in; empty for a file by itself.
        options: What a table says of it, texts by column.
        reason: Why it cannot be predicted, known beforehand; None if it may.
    """

    scene: str
    folder: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None


def find_scenes(
    inputs: Sequence[str | Path], *, leave_out: Path, asset: str | None = None
) -> list[SceneInput]:
    """Find the scenes that the inputs name.

    Args:
        inputs: Rasters, folders (searched to the bottom), globs, lists (``.txt``, a path a line),
            tables (``.csv`` with a column ``scene``), STAC items, collections or catalogs
            (``.json``, ``.geojson``).
        leave_out: Folder that is not searched: that of the outputs.
        asset: Key of the asset of STAC items; None chooses.

    Returns:
        The scenes in order, each once.

    Raises:
        DataError: If an input is not there, or holds no scene.
    """
    found: dict[str, SceneInput] = {}
    for given in inputs:
        scenes = list(_scenes_of(str(given), leave_out=leave_out, asset=asset))
        if not scenes:
            message = (
                f"{given} holds no scene; give rasters, a folder with files that end in "
                f"{', '.join(SCENE_SUFFIXES)}, a list, a table or STAC"
            )
            raise DataError(message)
        for scene in scenes:
            found.setdefault(_key(scene.scene), scene)
    return list(found.values())


def _key(scene: str) -> str:
    return os.path.normpath(Path(scene).absolute()) if is_local(scene) else scene


def _scenes_of(given: str, *, leave_out: Path, asset: str | None) -> Iterator[SceneInput]:
    path = Path(given)
    if not is_local(given):
        yield SceneInput(scene=given)
    elif path.is_dir():
        yield from _in_folder(path, leave_out=leave_out)
    elif path.exists():
        yield from _in_file(path, asset=asset)
    elif any(sign in given for sign in _MAGIC):
        yield from _in_glob(given)
    else:
        message = f"{given} does not exist; give rasters, folders, globs, lists, tables or STAC"
        raise DataError(message)


def _in_file(path: Path, *, asset: str | None) -> Iterator[SceneInput]:
    suffix = path.suffix.lower()
    if suffix == ".txt":
        yield from _in_list(path)
    elif suffix == ".csv":
        yield from _in_table(path)
    elif suffix in {".json", ".geojson"}:
        for scene, reason in stac_scenes(path, asset=asset):
            yield SceneInput(scene=scene, reason=reason)
    else:
        yield SceneInput(scene=str(path))


def _in_folder(root: Path, *, leave_out: Path) -> Iterator[SceneInput]:
    for folder, subfolders, names in os.walk(root):
        here = Path(folder)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not name.startswith(".") and (here / name).resolve() != leave_out.resolve()
        )
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SCENE_SUFFIXES:
                below = here.relative_to(root).as_posix()
                yield SceneInput(scene=str(here / name), folder="" if below == "." else below)


def _in_glob(pattern: str) -> Iterator[SceneInput]:
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if any(sign in part for sign in _MAGIC))
    root = Path(*parts[:first])
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - absolute patterns, too
        path = Path(name)
        if path.is_file():
            below = path.parent.relative_to(root).as_posix()
            yield SceneInput(scene=name, folder="" if below == "." else below)


def _in_list(path: Path) -> Iterator[SceneInput]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text and not text.startswith("#"):
            yield SceneInput(scene=_beside(path, text))


def _in_table(path: Path) -> Iterator[SceneInput]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if "scene" not in (rows.fieldnames or ()):
            message = f"table {path} has no column 'scene'; its first line must name the columns"
            raise DataError(message)
        for row in rows:
            if None in row:
                message = f"table {path}, line {rows.line_num}: more cells than columns"
                raise DataError(message)
            cells = {name: text.strip() for name, text in row.items() if text and text.strip()}
            scene = cells.pop("scene", None)
            if scene is None:
                message = f"table {path}, line {rows.line_num}: the cell 'scene' is empty"
                raise DataError(message)
            yield SceneInput(scene=_beside(path, scene), options=cells)


def _beside(path: Path, text: str) -> str:
    """Paths in a file are relative to the file."""
    return str(path.parent / text) if is_local(text) else text
