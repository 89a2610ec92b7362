"""The check of a folder: every fault is one line that names the file."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmamba.classes import ISPRS_CLASSES
from rsmamba.data.isprs.check import IsprsReport, check_isprs
from rsmamba.data.isprs.lookalike import make_isprs
from rsmamba.geo.environment import no_georeference_warning

LABEL = "gts_for_participants/top_mosaic_09cm_area1.tif"


def paint(path: Path, colours: dict[tuple[int, int], tuple[int, int, int]]) -> None:
    """Set the colour of some pixels, by row and column."""
    with rasterio.open(path, "r+") as file:
        pixels = file.read()
        for (row, col), colour in colours.items():
            pixels[:, row, col] = colour
        file.write(pixels)


def only_problem(report: IsprsReport) -> str:
    (line,) = report.problems
    assert "\n" not in line
    return line


def test_a_whole_folder_has_no_problem(vaihingen: Path) -> None:
    report = check_isprs(vaihingen)
    assert (report.dataset, report.problems) == ("vaihingen", ())
    assert [(tile.tile, tile.height, tile.width) for tile in report.tiles] == [
        ("1", 48, 48),
        ("30", 64, 48),
    ]
    assert report.tiles[0].roles == ("irrg", "label", "eroded", "dsm", "ndsm")
    assert sum(report.tiles[0].class_pixels) == 48 * 48
    assert list(report.class_shares) == list(ISPRS_CLASSES.names)
    assert sum(report.class_shares.values()) == pytest.approx(1)
    assert report.splits["geoseg"] == {"train": (1, 15), "validation": (1, 1), "test": (0, 17)}
    assert len(report.absent) == 31
    assert report.remarks[0].startswith("31 of the 33 tiles are not there: 2, 3, ")


def test_unknown_colours_are_counted_and_placed(vaihingen: Path) -> None:
    paint(vaihingen / LABEL, {(5, 7): (252, 255, 0), (5, 9): (252, 255, 0), (40, 1): (1, 2, 3)})
    line = only_problem(check_isprs(vaihingen))
    assert line.endswith(
        "area1.tif has 3 pixels in 2 colours that are not in the palette, the first (252, 255, 0) "
        "at row 5, col 7"
    )
    report = check_isprs(vaihingen, unknown="ignore")
    assert report.problems == ()
    assert report.remarks[0].endswith("at row 5, col 7; they are ignored")
    assert report.tiles[0].ignored_pixels == 3


def test_black_is_no_class(vaihingen: Path) -> None:
    paint(vaihingen / LABEL, {(0, col): (0, 0, 0) for col in range(48)})
    tile = check_isprs(vaihingen).tiles[0]
    assert (tile.ignored_pixels, sum(tile.class_pixels)) == (48, 47 * 48)


@pytest.mark.parametrize(
    "name", ["top/top_mosaic_09cm_area30.tif", LABEL, "dsm/dsm_09cm_matching_area1.tif"]
)
def test_broken_files_are_named(vaihingen: Path, name: str) -> None:
    path = vaihingen / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert path.name in only_problem(check_isprs(vaihingen))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("top/top_mosaic_09cm_area1.tif", "tile 1 has no image"),
        (LABEL, "tile 1 has no full label"),
        ("ndsm/dsm_09cm_matching_area1_normalized.jpg", "tile 1 has no nDSM"),
    ],
)
def test_missing_files_are_named(vaihingen: Path, name: str, match: str) -> None:
    (vaihingen / name).unlink()
    assert only_problem(check_isprs(vaihingen)) == match


def test_labels_of_another_size_are_named(vaihingen: Path) -> None:
    profile = {"driver": "GTiff", "count": 3, "height": 47, "width": 48, "dtype": "uint8"}
    with no_georeference_warning(), rasterio.open(vaihingen / LABEL, "w", **profile) as file:
        file.write(np.full((3, 47, 48), 255, np.uint8))
    line = only_problem(check_isprs(vaihingen))
    assert "area1.tif is 48 px wide and 47 px high, its image 48 and 48" in line


def test_pictures_with_too_few_bands_are_named(vaihingen: Path) -> None:
    profile = {"driver": "GTiff", "count": 1, "height": 48, "width": 48, "dtype": "uint8"}
    with no_georeference_warning(), rasterio.open(vaihingen / LABEL, "w", **profile) as file:
        file.write(np.zeros((1, 48, 48), np.uint8))
    assert "area1.tif has 1 bands; a full label has 3" in only_problem(check_isprs(vaihingen))


def test_one_four_band_picture_stands_for_the_others(tmp_path: Path) -> None:
    root = make_isprs(tmp_path, dataset="potsdam", size=48, tiles=2).root
    (root / "2_Ortho_RGB/top_potsdam_2_12_RGB.tif").unlink()
    assert check_isprs(root).problems == ()
    (root / "4_Ortho_RGBIR/top_potsdam_2_12_RGBIR.tif").unlink()
    assert set(check_isprs(root).problems) == {
        "tile 2_12 has no RGB image",
        "tile 2_12 has no RGBIR image",
    }


def test_tiles_that_no_split_knows_are_remarked(vaihingen: Path) -> None:
    (vaihingen / LABEL).rename(vaihingen / LABEL.replace("area1", "area9"))
    (vaihingen / "top/top_mosaic_09cm_area1.tif").rename(
        vaihingen / "top/top_mosaic_09cm_area9.tif"
    )
    assert "the data set has no tile 9; no split uses it" in check_isprs(vaihingen).remarks
