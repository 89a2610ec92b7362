"""Which file of a downloaded ISPRS folder is what, told by names alone.

Three layouts are understood, also mixed and at any depth: the society's own (`top`,
`gts_for_participants`, `dsm`, `ndsm`; `2_Ortho_RGB`, `5_Labels_all`, ...), torchgeo's (labels in
the root beside the folder of the images) and flat ones (`images` and `masks`, or one folder with
`_label` in the names). In Vaihingen an image and its labels have one name, so that folders decide.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rsmamba.data.isprs.tiles import TILES, IsprsDataset
from rsmamba.errors import DataError

Role = Literal["rgb", "irrg", "rgbir", "label", "eroded", "dsm", "ndsm"]

_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".jp2"})
_VAIHINGEN = re.compile(r"top_mosaic_09cm_area(\d+)((?:_labels?|_gt)?(?:_noboundary)?)")
_POTSDAM = re.compile(r"top_potsdam_(\d+)_(\d+)_(rgb|irrg|rgbir|labels?(?:_noboundary)?)", re.ASCII)
_HEIGHTS = re.compile(r"(n?)dsm_(?:09cm_matching_area(\d+)|potsdam_(\d+)_(\d+))(.*)")
_IMAGE_FOLDER = re.compile(r"(top|irrg|rgb|img|(.*_)?images?)")
_LABEL_FOLDER = re.compile(r"gts?(_.*)?|.*(ground_truth|mask|label).*")
_ERODED_FOLDER = re.compile(r".*(eroded|no_?boundary).*")


@dataclass(frozen=True, slots=True, kw_only=True)
class IsprsFolder:
    """The files of one data set.

    Attributes:
        root: The folder that was searched.
        dataset: Which data set it is.
        files: Path by role, by tile; of several files the one that is used.
        doubles: What each file that is not used doubles, one line each.
    """

    root: Path
    dataset: IsprsDataset
    files: dict[str, dict[Role, Path]]
    doubles: tuple[str, ...]


def find_isprs_files(root: Path, dataset: IsprsDataset | None = None) -> IsprsFolder:
    """Search a folder and all below it for files of the benchmark.

    Args:
        root: The folder.
        dataset: Data set to look for; None takes the one that is there.

    Returns:
        The files that were found, of at least one tile.

    Raises:
        DataError: If the folder is missing, or holds no such file, or files of both data sets when
            none was chosen.
    """
    if not root.is_dir():
        msg = f"{root} is not a folder; give the folder into which the archives were unpacked"
        raise DataError(msg)
    candidates: dict[IsprsDataset, dict[tuple[str, Role], list[Path]]] = {}
    for path in sorted(_files_below(root)):
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
            found = identify(path)
            if found is not None and path.is_file():
                name, tile, role = found
                candidates.setdefault(name, {}).setdefault((tile, role), []).append(path)
    chosen = _choose_dataset(root, candidates, dataset)
    return _arrange(root, chosen, candidates[chosen])


def _files_below(root: Path) -> Iterator[Path]:
    """Files of a folder and all below it, those behind links too, each folder once."""
    seen: set[Path] = set()
    for folder, names, files in os.walk(root, followlinks=True):
        here = Path(folder)
        # A link may lead back to a folder that it lies in.
        seen.add(here.resolve())
        names[:] = [name for name in names if (here / name).resolve() not in seen]
        yield from (here / name for name in files)


def identify(path: Path) -> tuple[IsprsDataset, str, Role] | None:
    """Say what a file is by its name and folder.

    Args:
        path: The file.

    Returns:
        Data set, tile such as "1" or "2_10", and role; None for any other file.

    Example:
        >>> identify(Path("2_Ortho_RGB/top_potsdam_2_10_RGB.tif"))
        ('potsdam', '2_10', 'rgb')
    """
    stem = path.stem.lower()
    if match := _VAIHINGEN.fullmatch(stem):
        return "vaihingen", str(int(match[1])), _vaihingen_role(path, match[2])
    if match := _POTSDAM.fullmatch(stem):
        return "potsdam", f"{int(match[1])}_{int(match[2])}", _potsdam_role(match[3], path)
    if match := _HEIGHTS.fullmatch(stem):
        above_ground = match[1] or "norm" in match[5] or path.parent.name.lower() == "ndsm"
        role: Role = "ndsm" if above_ground else "dsm"
        if match[2]:
            return "vaihingen", str(int(match[2])), role
        return "potsdam", f"{int(match[3])}_{int(match[4])}", role
    return None


def _potsdam_role(word: str, path: Path) -> Role:
    if word in {"rgb", "irrg", "rgbir"}:
        return word  # type: ignore[return-value]  # the set is the type
    eroded = "noboundary" in word or _ERODED_FOLDER.fullmatch(path.parent.name.lower())
    return "eroded" if eroded else "label"


def _vaihingen_role(path: Path, ending: str) -> Role:
    folder = path.parent.name.lower()
    if "noboundary" in ending:
        return "eroded"
    is_label = bool(ending) or bool(_LABEL_FOLDER.fullmatch(folder))
    if not is_label and not _IMAGE_FOLDER.fullmatch(folder):
        # torchgeo keeps the labels beside the folder of the images.
        is_label = (path.parent / "top").is_dir()
    if is_label:
        return "eroded" if _ERODED_FOLDER.fullmatch(folder) else "label"
    return "irrg"


def _choose_dataset(
    root: Path,
    candidates: dict[IsprsDataset, dict[tuple[str, Role], list[Path]]],
    wanted: IsprsDataset | None,
) -> IsprsDataset:
    if len(candidates) == 2 and wanted is None:
        msg = (
            f"{root} holds both Vaihingen and Potsdam; give one folder of them, or say which with "
            "--dataset"
        )
        raise DataError(msg)
    chosen = wanted or next(iter(candidates), None)
    if chosen is None or chosen not in candidates:
        msg = (
            f"{root} holds no file of {chosen or 'the ISPRS benchmark'}; expected are names such "
            "as top/top_mosaic_09cm_area1.tif or 2_Ortho_RGB/top_potsdam_2_10_RGB.tif"
        )
        raise DataError(msg)
    return chosen


def _arrange(
    root: Path, dataset: IsprsDataset, candidates: dict[tuple[str, Role], list[Path]]
) -> IsprsFolder:
    files: dict[str, dict[Role, Path]] = {}
    doubles: list[str] = []
    order = {tile: place for place, tile in enumerate(TILES[dataset])}
    for (tile, role), paths in sorted(
        candidates.items(), key=lambda item: (order.get(item[0][0], len(order)), item[0])
    ):
        # Some of the "ownapproach" surface models are empty.
        first, *others = sorted(paths, key=lambda p: ("ownapproach" in p.name, len(p.parts), p))
        files.setdefault(tile, {})[role] = first
        doubles += [f"{other} doubles {first}, which is used" for other in others]
    return IsprsFolder(root=root, dataset=dataset, files=files, doubles=tuple(doubles))
