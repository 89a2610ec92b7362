"""Whether a downloaded ISPRS folder is whole: every file read once, every fault one line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ISPRS_CLASSES, ISPRS_UNDEFINED
from rsmamba.data.isprs.files import IsprsFolder, Role, find_isprs_files
from rsmamba.data.isprs.tiles import SPLITS, TILES, IsprsDataset
from rsmamba.data.labels import ColourLabels, LabelOptions, colour_values
from rsmamba.data.pairs import listed
from rsmamba.errors import GridMismatchError, RsmambaError
from rsmamba.geo.environment import raster_environment
from rsmamba.geo.painted import UnknownColour, strips
from rsmamba.geo.scene import Scene
from rsmamba.geo.stack import check_same_pixels

_IMAGES: tuple[Role, ...] = ("rgb", "irrg", "rgbir")
_BANDS: dict[Role, int] = {"rgb": 3, "irrg": 3, "rgbir": 4, "label": 3, "eroded": 3}
_LABELS: tuple[Role, ...] = ("label", "eroded")
_ROLE_NAMES: dict[Role, str] = {
    "rgb": "RGB image",
    "irrg": "IRRG image",
    "rgbir": "RGBIR image",
    "label": "full label",
    "eroded": "noBoundary label",
    "dsm": "DSM",
    "ndsm": "nDSM",
}

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileReport:
    """One tile.

    Attributes:
        tile: Its name.
        width: Columns of its first readable raster; 0 if it has none.
        height: Rows likewise.
        roles: What it has, broken files included.
        class_pixels: Pixels of each class in its full labels; empty without any.
        ignored_pixels: Pixels of its full labels that are no class.
    """

    tile: str
    width: int
    height: int
    roles: tuple[Role, ...]
    class_pixels: tuple[int, ...]
    ignored_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IsprsReport:
    """What a folder holds.

    Attributes:
        root: The folder.
        dataset: Its data set.
        tiles: The tiles that are there.
        absent: Tiles of the data set of which there is no file.
        problems: One line for each file that is broken, missing or not what it should be.
        remarks: One line for each other thing worth knowing.
    """

    root: Path
    dataset: IsprsDataset
    tiles: tuple[TileReport, ...]
    absent: tuple[str, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def class_shares(self) -> dict[str, float]:
        """Share of each class among the labelled pixels of the full labels, 0 to 1."""
        totals = np.zeros(ISPRS_CLASSES.num_classes, np.int64)
        for tile in self.tiles:
            if tile.class_pixels:
                totals += tile.class_pixels
        shares = totals / max(1, int(totals.sum()))
        return dict(zip(ISPRS_CLASSES.names, shares.tolist(), strict=True))

    @property
    def splits(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Tiles there and tiles listed, by split and part of it."""
        there = {tile.tile for tile in self.tiles}
        return {
            name: {
                part: (len(there.intersection(tiles)), len(tiles))
                for part, tiles in (
                    ("train", lists.train),
                    ("validation", lists.validation),
                    ("test", lists.test),
                )
            }
            for name, lists in SPLITS[self.dataset].items()
        }


@dataclass(slots=True)
class _Findings:
    """What a check collects on its way."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_isprs(
    root: Path,
    *,
    dataset: IsprsDataset | None = None,
    unknown: UnknownColour = "fail",
    advance: Advance | None = None,
) -> IsprsReport:
    """Read every file of an ISPRS folder once.

    Args:
        root: Folder in any of the layouts of `files`.
        dataset: Data set to look for; None takes the one that is there.
        unknown: Whether colours outside the palette are a problem, or ignored pixels and a remark.
        advance: Called with the number of finished and of all tiles.

    Returns:
        The report.

    Raises:
        DataError: If the folder is missing or holds no such file.
    """
    folder = find_isprs_files(root, dataset)
    findings = _Findings(remarks=list(folder.doubles))
    reports = []
    with raster_environment():
        for number, (tile, files) in enumerate(folder.files.items(), 1):
            reports.append(_check_tile(tile, files, unknown=unknown, findings=findings))
            if advance is not None:
                advance(number, len(folder.files))
    findings.problems += _missing(folder)
    absent = tuple(tile for tile in TILES[folder.dataset] if tile not in folder.files)
    stray = [tile for tile in folder.files if tile not in TILES[folder.dataset]]
    if stray:
        findings.remarks.append(f"the data set has no tile {listed(stray)}; no split uses it")
    if absent:
        findings.remarks.append(
            f"{len(absent)} of the {len(TILES[folder.dataset])} tiles are not there: "
            f"{listed(absent, most=40)}"
        )
    return IsprsReport(
        root=root,
        dataset=folder.dataset,
        tiles=tuple(reports),
        absent=absent,
        problems=tuple(findings.problems),
        remarks=tuple(findings.remarks),
    )


def _check_tile(
    tile: str, files: dict[Role, Path], *, unknown: UnknownColour, findings: _Findings
) -> TileReport:
    """Read all files of a tile."""
    size = (0, 0)
    counts: NDArray[np.int64] | None = None
    first = next((role for role in (*_IMAGES, *files) if role in files), None)
    order = sorted(files, key=lambda role: role != first)
    broken: set[Role] = set()
    for role in order:
        anchor = None if first is None or role == first or first in broken else files[first]
        try:
            height, width = _check_raster(files[role], role, anchor)
            size = size if any(size) else (height, width)
            if role in _LABELS:
                tally = _count_classes(files[role], unknown=unknown, findings=findings)
                counts = tally if role == "label" else counts
            else:
                _read_all(files[role])
        except RsmambaError as error:
            broken.add(role)
            findings.problems.append(str(error))
    return TileReport(
        tile=tile,
        height=size[0],
        width=size[1],
        roles=tuple(role for role in _ROLE_NAMES if role in files),
        class_pixels=() if counts is None else tuple(map(int, counts[:-1])),
        ignored_pixels=0 if counts is None else int(counts[-1]),
    )


def _check_raster(path: Path, role: Role, anchor: Path | None) -> tuple[int, int]:
    """Height and width of a raster that has the bands of its role and the size of its image."""
    with Scene.open(path) as scene:
        wanted = _BANDS.get(role, 1)
        if scene.count < wanted and scene.colours != ("palette",):
            msg = f"{path} has {scene.count} bands; a {_ROLE_NAMES[role]} has {wanted}"
            raise GridMismatchError(msg)
        if anchor is not None:
            with Scene.open(anchor) as image:
                check_same_pixels(image, scene)
        return scene.grid.height, scene.grid.width


def _read_all(path: Path) -> None:
    """Decode every pixel, which is how a truncated file is found."""
    with Scene.open(path) as scene:
        for window in strips(height=scene.grid.height, width=scene.grid.width):
            scene.read(window)


def _count_classes(
    path: Path, *, unknown: UnknownColour, findings: _Findings
) -> NDArray[np.int64] | None:
    """Pixels of each class, and as the last entry of none; None where colours are wrong."""
    options = LabelOptions(
        form="colour",
        colours=colour_values(ISPRS_CLASSES),
        ignored_colours=(ISPRS_UNDEFINED,),
        unknown="ignore",
    )
    with Scene.open(path) as scene:
        labels = ColourLabels(scene, options)
        windows = list(strips(height=scene.grid.height, width=scene.grid.width))
    stray = labels.unknown_colours()
    if stray.num_pixels:
        line = f"{path} has {stray.describe()}"
        if unknown == "fail":
            findings.problems.append(line)
            return None
        findings.remarks.append(f"{line}; they are ignored")
    counts = np.zeros(ISPRS_CLASSES.num_classes + 1, np.int64)
    for window in windows:
        values, there = labels.read(window)
        counts[:-1] += np.bincount(values[there], minlength=ISPRS_CLASSES.num_classes)
        counts[-1] += int((~there).sum())
    return counts


def _missing(folder: IsprsFolder) -> list[str]:
    """Lines about files that a tile lacks and other tiles have."""
    lines = []
    kinds = {role for files in folder.files.values() for role in files}
    for tile, files in folder.files.items():
        if not any(role in files for role in _IMAGES):
            lines.append(f"tile {tile} has no image")
        expected = {*kinds, "label"}
        if any(role in files for role in _IMAGES):
            expected -= {role for role in _IMAGES if "rgbir" in files}
        else:
            expected -= set(_IMAGES)
        lines += [
            f"tile {tile} has no {_ROLE_NAMES[role]}"
            for role in _ROLE_NAMES
            if role in expected and role not in files
        ]
    return lines
