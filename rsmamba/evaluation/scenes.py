"""Which map belongs to which reference: two files, two folders, or a CSV list."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsmamba.errors import DataError, OptionError
from rsmamba.geo.output import TIFF_SUFFIXES
from rsmamba.geo.vectors import VECTOR_SUFFIXES, is_vector

PathLike = str | Path
_RASTER_SUFFIXES = (*TIFF_SUFFIXES, ".png", ".jpg", ".jpeg", ".vrt", ".jp2", ".img", ".bmp")
# The names of the ISPRS benchmark: top_mosaic_09cm_area5, top_potsdam_2_13, dsm_potsdam_02_13.
_ISPRS_NAMES = (re.compile(r"_area(\d+)(?!\d)"), re.compile(r"potsdam_(\d+_\d+)(?!\d)"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePaths:
    """The files of one scene.

    Attributes:
        map: The class map.
        reference: Label raster or vector file.
        image: Picture to show beside, None for none.
        probabilities: Scores of every class, or confidence; None for none.
    """

    map: PathLike
    reference: PathLike
    image: PathLike | None = None
    probabilities: PathLike | None = None

    @property
    def name(self) -> str:
        """Name of the map without folder and ending."""
        return Path(self.map).stem


def find_scenes(
    prediction: PathLike | Sequence[PathLike],
    reference: PathLike | Sequence[PathLike] | None,
    *,
    image: PathLike | Sequence[PathLike] | None = None,
    probabilities: PathLike | Sequence[PathLike] | None = None,
) -> tuple[ScenePaths, ...]:
    """Find the files of every scene.

    Args:
        prediction: A map, several, a folder of maps, or a CSV file with the columns map,
            reference and perhaps image and probabilities.
        reference: A reference for each map in the same order, or a folder; None with a CSV file.
        image: The same for pictures.
        probabilities: The same for scores.

    Returns:
        The scenes.

    Raises:
        OptionError: If the reference is missing, or a CSV file and other files are given.
        DataError: If something has no partner or several, or the list cannot be read.
    """
    if isinstance(prediction, str | Path) and Path(prediction).suffix.lower() == ".csv":
        if not (reference is image is probabilities is None):
            message = f"{prediction} is a list of maps and references; give no other files with it"
            raise OptionError(message)
        return _read_list(Path(prediction))
    if reference is None:
        message = (
            f"{prediction} has no reference to compare with; give a label raster, a vector file or "
            "a folder, or a CSV list with the columns map and reference"
        )
        raise OptionError(message)
    maps = _files(prediction, "maps")
    columns = {"reference": reference, "image": image, "probabilities": probabilities}
    partners = {
        name: _partners(maps, given, what=name)
        for name, given in columns.items()
        if given is not None
    }
    scenes = tuple(
        ScenePaths(map=path, **{name: found[index] for name, found in partners.items()})
        for index, path in enumerate(maps)
    )
    _check_once(scenes)
    return scenes


def _check_once(scenes: Sequence[ScenePaths]) -> None:
    """Refuse the same map with the same reference twice: every pixel counts once."""
    seen: set[tuple[str, str]] = set()
    for scene in scenes:
        pair = str(scene.map), str(scene.reference)
        if pair in seen:
            message = (
                f"{scene.map} with {scene.reference} is given twice; every pixel counts once, so "
                "give it once"
            )
            raise DataError(message)
        seen.add(pair)


def _files(given: PathLike | Sequence[PathLike], what: str) -> list[PathLike]:
    """The files of a folder, of a list, or the one."""
    if not isinstance(given, str | Path):
        files = list(given)
    elif Path(given).is_dir():
        endings = _RASTER_SUFFIXES if what == "maps" else (*_RASTER_SUFFIXES, *VECTOR_SUFFIXES)
        files = [
            path
            for path in sorted(Path(given).iterdir())
            if path.suffix.lower() in endings and not path.name.startswith(".")
        ]
    else:
        files = [given]
    if not files:
        message = f"{given} holds no {what}; give a folder with rasters, or a file"
        raise DataError(message)
    return files


def _partners(
    maps: Sequence[PathLike], given: PathLike | Sequence[PathLike], *, what: str
) -> list[PathLike]:
    """One file for each map: by order in lists, by name in folders."""
    files = _files(given, f"{what} files")
    is_folder = isinstance(given, str | Path) and Path(given).is_dir()
    if not is_folder:
        if len(files) != len(maps):
            message = (
                f"{len(maps)} maps and {len(files)} {what} files; give one for each map in the "
                "same order, or folders"
            )
            raise DataError(message)
        return files
    return [_partner(path, files, what=what) for path in maps]


def _partner(path: PathLike, files: Sequence[PathLike], *, what: str) -> PathLike:
    """The file of the same name; else of the same ISPRS tile; else whose name starts alike."""
    for alike in (_same_name, _same_tile, _starts_alike):
        found = [file for file in files if alike(Path(path).stem, Path(file).stem)]
        if len(found) == 1:
            return found[0]
        if found:
            message = (
                f"{path} could belong to {', '.join(Path(file).name for file in found[:4])}; "
                f"keep one {what} for each map, or give a CSV list"
            )
            raise DataError(message)
    names = ", ".join(Path(file).name for file in files[:4])
    message = (
        f"{path} has no {what} of its name; there are {names}{' ...' if len(files) > 4 else ''}: "
        "name them alike, or give a CSV list with the columns map and reference"
    )
    raise DataError(message)


def _same_name(first: str, second: str) -> bool:
    return first == second


def _same_tile(first: str, second: str) -> bool:
    tile = isprs_tile(first)
    return tile is not None and tile == isprs_tile(second)


def _starts_alike(first: str, second: str) -> bool:
    shorter, longer = sorted((first, second), key=len)
    # "area1" is not the beginning of "area15".
    return longer.startswith(shorter) and not longer[len(shorter)].isalnum()


def isprs_tile(name: str) -> str | None:
    """Find the tile number in the name of an ISPRS file.

    Args:
        name: Name of a file.

    Returns:
        The tile, such as ``"5"`` or ``"2_13"``; None in other names.

    Example:
        >>> isprs_tile("top_mosaic_09cm_area5_noBoundary"), isprs_tile("dsm_potsdam_02_13")
        ('5', '2_13')
    """
    for pattern in _ISPRS_NAMES:
        match = pattern.search(name)
        if match:
            return "_".join(str(int(number)) for number in match[1].split("_"))
    return None


def _read_list(path: Path) -> tuple[ScenePaths, ...]:
    """Scenes of a CSV list; paths are relative to the list."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"list {path} cannot be read: {error}"
        raise DataError(message) from error
    if not rows or not {"map", "reference"} <= set(rows[0]):
        message = f"list {path} has no rows with the columns map and reference; add them"
        raise DataError(message)
    scenes = []
    for number, row in enumerate(rows, 2):
        if not (row["map"] and row["reference"]):
            message = f"line {number} of list {path} lacks a map or a reference; fill it in"
            raise DataError(message)
        names = ("map", "reference", "image", "probabilities")
        scenes.append(ScenePaths(**{n: path.parent / row[n] for n in names if row.get(n)}))
    _check_once(scenes)
    return tuple(scenes)


def scene_names(scenes: Sequence[ScenePaths]) -> list[str]:
    """Name scenes so that no two have one name.

    Args:
        scenes: The scenes.

    Returns:
        The name of each map, with its folder or a number where others have the same.
    """
    stems = [scene.name for scene in scenes]
    shared = {stem for stem, number in Counter(stems).items() if number > 1}
    turns: Counter[str] = Counter()
    names: list[str] = []
    for scene, stem in zip(scenes, stems, strict=True):
        name = f"{Path(scene.map).parent.name}/{stem}" if stem in shared else stem
        turns[name] += 1
        names.append(name if turns[name] == 1 else f"{name} ({turns[name]})")
    return names


def reference_is_vector(scene: ScenePaths) -> bool:
    """Say whether the reference of a scene is a vector file.

    Args:
        scene: The scene.

    Returns:
        True if it is.
    """
    return is_vector(scene.reference)
