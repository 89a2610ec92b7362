"""Small folders that are named and built like a download of the ISPRS benchmark.

They let tests and users try everything without the real data, which the society gives out on
request. Eroded labels are made as the society's: every pixel whose disc of 3 pixels meets two
classes is black.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rsmamba.classes import ISPRS_CLASSES, ISPRS_UNDEFINED
from rsmamba.data.isprs.files import Role
from rsmamba.data.isprs.painter import Painting, paint_town
from rsmamba.data.isprs.tiles import GSD_M, TILES, IsprsDataset
from rsmamba.errors import OptionError, OutputError, OutputExistsError
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.metrics.boundary import erosion_levels

IsprsLayout = Literal["society", "torchgeo", "flat"]

EROSION_RADIUS = 3
_SMALLEST = 48
# So that a few tiles are enough for all splits: train, validation and test of geoseg come first.
_FIRST: dict[IsprsDataset, tuple[str, ...]] = {
    "vaihingen": ("1", "30", "2", "5"),
    "potsdam": ("2_12", "2_10", "2_13", "2_11"),
}
_CORNERS: dict[IsprsDataset, tuple[str, float, float]] = {
    "vaihingen": ("EPSG:32632", 496_000.0, 5_420_000.0),
    "potsdam": ("EPSG:32633", 366_000.0, 5_808_000.0),
}
_FOLDERS: dict[tuple[IsprsDataset, IsprsLayout], dict[Role, str]] = {
    ("vaihingen", "society"): {
        "irrg": "top",
        "label": "gts_for_participants",
        "eroded": "gts_eroded_for_participants",
        "dsm": "dsm",
        "ndsm": "ndsm",
    },
    ("vaihingen", "torchgeo"): {"irrg": "top", "label": "."},
    ("vaihingen", "flat"): {"irrg": "images", "label": "masks", "eroded": "masks"},
    ("potsdam", "society"): {
        "rgb": "2_Ortho_RGB",
        "irrg": "3_Ortho_IRRG",
        "rgbir": "4_Ortho_RGBIR",
        "label": "5_Labels_all",
        "eroded": "5_Labels_all_noBoundary",
        "dsm": "1_DSM",
        "ndsm": "1_DSM_normalisation",
    },
    ("potsdam", "torchgeo"): {"rgbir": "4_Ortho_RGBIR", "label": "."},
    ("potsdam", "flat"): {"rgb": ".", "irrg": ".", "label": ".", "eroded": ".", "ndsm": "."},
}
_NAMES: dict[IsprsDataset, dict[Role, str]] = {
    "vaihingen": {
        "irrg": "top_mosaic_09cm_area{tile}.tif",
        "label": "top_mosaic_09cm_area{tile}.tif",
        "eroded": "top_mosaic_09cm_area{tile}_noBoundary.tif",
        "dsm": "dsm_09cm_matching_area{tile}.tif",
        "ndsm": "dsm_09cm_matching_area{tile}_normalized.jpg",
    },
    "potsdam": {
        "rgb": "top_potsdam_{tile}_RGB.tif",
        "irrg": "top_potsdam_{tile}_IRRG.tif",
        "rgbir": "top_potsdam_{tile}_RGBIR.tif",
        "label": "top_potsdam_{tile}_label.tif",
        "eroded": "top_potsdam_{tile}_label_noBoundary.tif",
        "dsm": "dsm_potsdam_{padded}.tif",
        "ndsm": "dsm_potsdam_{padded}_normalized_lastools.jpg",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """What was written.

    Attributes:
        root: The folder.
        dataset: Data set that it looks like.
        layout: Layout of the folder.
        tiles: Names of the tiles.
        files: All files, in the order of the tiles.
    """

    root: Path
    dataset: IsprsDataset
    layout: IsprsLayout
    tiles: tuple[str, ...]
    files: tuple[Path, ...]


def make_isprs(
    root: Path,
    *,
    dataset: IsprsDataset,
    size: int = 192,
    tiles: int = 4,
    layout: IsprsLayout = "society",
    seed: int = 0,
) -> Lookalike:
    """Write a small look-alike of Vaihingen or Potsdam.

    Args:
        root: Folder to write into; new or empty.
        dataset: Data set to look like.
        size: Side of a tile, pixels; tiles of Vaihingen differ in height, as the real ones do.
        tiles: Number of tiles, 1 to all; four are enough to train, validate and test by any split.
        layout: Folders as the society ships them, as torchgeo expects them, or flat.
        seed: Seed of the tiles, 0 or more.

    Returns:
        What was written.

    Raises:
        OptionError: If the size, the number of tiles or the seed is not allowed.
        OutputExistsError: If the folder holds something.
        OutputError: If it cannot be written.
    """
    there_are = len(TILES[dataset])
    if size < _SMALLEST or not 1 <= tiles <= there_are:
        msg = (
            f"size is {size} and tiles {tiles}; give a size of {_SMALLEST} or more and 1 to "
            f"{there_are} tiles"
        )
        raise OptionError(msg)
    if seed < 0:
        msg = f"seed is {seed}; give 0 or more"
        raise OptionError(msg)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        msg = f"{root} exists and is not an empty folder; give another one"
        raise OutputExistsError(msg)
    first = _FIRST[dataset]
    names = (*first, *(tile for tile in TILES[dataset] if tile not in first))[:tiles]
    written: list[Path] = []
    try:
        for number, tile in enumerate(names):
            height = size + 16 * (number % 3) if dataset == "vaihingen" else size
            painting = paint_town(height=height, width=size, seed=seed * 1000 + number)
            written += _write_tile(root, tile, painting, dataset=dataset, layout=layout)
    except OSError as error:
        msg = f"cannot write to {root}: {error.strerror or error}"
        raise OutputError(msg) from error
    return Lookalike(root=root, dataset=dataset, layout=layout, tiles=names, files=tuple(written))


def erode_labels(labels: NDArray[np.uint8], *, radius: int = EROSION_RADIUS) -> NDArray[np.bool_]:
    """Find the pixels that the eroded references leave out.

    Args:
        labels: Class indices (H, W).
        radius: Radius of the disc, pixels.

    Returns:
        True where the disc around a pixel meets two classes (H, W).

    Example:
        >>> erode_labels(np.array([[0, 0, 0, 1, 1]], np.uint8), radius=1).tolist()
        [[False, False, True, True, False]]
    """
    boundary: NDArray[np.bool_] = erosion_levels(labels, radius=radius) <= radius
    return boundary


def tile_path(
    dataset: IsprsDataset, role: Role, tile: str, *, layout: IsprsLayout = "society"
) -> Path | None:
    """Say where a file of a tile lies.

    Args:
        dataset: Data set.
        role: What the file is.
        tile: Tile, such as "1" or "2_10".
        layout: Layout of the folder.

    Returns:
        Path below the root; None if the layout has no such file.
    """
    folder = _FOLDERS[dataset, layout].get(role)
    if folder is None or role not in _NAMES[dataset]:
        return None
    padded = "_".join(f"{int(part):02d}" for part in tile.split("_"))
    return Path(folder) / _NAMES[dataset][role].format(tile=tile, padded=padded)


def _write_tile(
    root: Path, tile: str, painting: Painting, *, dataset: IsprsDataset, layout: IsprsLayout
) -> list[Path]:
    """Write all files of a tile that the layout has."""
    gsd_m = GSD_M[dataset]
    crs, left, top = _CORNERS[dataset]
    place = {"crs": crs, "transform": Affine(gsd_m, 0, left, 0, -gsd_m, top)}
    written = []
    for role, pixels in _layers(painting).items():
        relative = tile_path(dataset, role, tile, layout=layout)
        if relative is not None:
            _write(root / relative, pixels, place)
            written.append(root / relative)
    return written


def _layers(painting: Painting) -> dict[Role, NDArray[Any]]:
    """Pixels (C, H, W) of every kind of file."""
    palette = np.array([*ISPRS_CLASSES.colours, ISPRS_UNDEFINED], np.uint8)
    eroded = np.where(erode_labels(painting.labels), len(palette) - 1, painting.labels)
    # The society's normalised models are pictures: one grey level is about 0.1 m.
    ndsm = np.clip(painting.heights_m * 10, 0, 255).astype(np.uint8)
    return {
        "rgb": painting.pixels[:3],
        "irrg": painting.pixels[[3, 0, 1]],
        "rgbir": painting.pixels,
        "label": palette[painting.labels].transpose(2, 0, 1),
        "eroded": palette[eroded].transpose(2, 0, 1),
        "dsm": (painting.terrain_m + painting.heights_m)[None],
        "ndsm": ndsm[None],
    }


def _write(path: Path, pixels: NDArray[Any], place: dict[str, Any]) -> None:
    """Write one file; pictures have no place, and four bands no alpha."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    options: dict[str, Any] = {"driver": "GTiff", "compress": "lzw", **place}
    if path.suffix == ".jpg":
        options = {"driver": "JPEG", "quality": 95}
    if count == 4:
        options |= {"photometric": "rgb", "alpha": "no"}
    profile = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    with no_georeference_warning(), rasterio.open(path, "w", **options, **profile) as file:
        file.write(pixels)
