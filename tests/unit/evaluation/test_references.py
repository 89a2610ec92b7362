"""References as others write them: values, colours and tables of other programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, GridMismatchError
from rsmamba.evaluation import evaluate

Town = tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint8]]]
NAMES = ("land", "water", "tree")
COLOURS = ((10, 0, 0), (0, 10, 0), (0, 0, 10))
SCHEME = ClassScheme(names=NAMES, colours=COLOURS)


def paint(path: Path, colours: dict[int, tuple[int, int, int]]) -> Path:
    """Give a raster a colour table."""
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {value: (*colour, 255) for value, colour in colours.items()})
    return path


def test_a_label_map_leaves_the_names_of_other_values(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    prediction, reference = town
    plain = evaluate(
        write_labels(prediction, "map.tif", names=NAMES), write_labels(reference, "r.tif")
    )
    other = np.where(reference == 255, 9, np.array([2, 0, 1])[reference % 9 % 3]).astype(np.uint8)
    theirs = write_labels(other, "other.tif", names=("water", "tree", "land"))
    ours = plain.scenes[0].map
    assert np.array_equal(evaluate(ours, theirs, label_map={9: 255}).counts, plain.counts)


def test_a_mapped_value_may_have_any_name(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    ours = write_labels(town[0], "map.tif", names=NAMES)
    theirs = write_labels(np.where(town[1] == 255, 3, town[1]).astype(np.uint8), "r.tif")
    expected = evaluate(ours, write_labels(town[1], "plain.tif")).counts
    named = write_labels(
        np.where(town[1] == 255, 3, town[1]).astype(np.uint8), "n.tif", names=(*NAMES, "rock")
    )
    for path in (theirs, named):
        assert np.array_equal(evaluate(ours, path, label_map={3: 255}).counts, expected)


@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_values_of_any_size_can_be_mapped(town: Town, write_labels: Any, dtype: str) -> None:  # noqa: ANN401
    """Codes of land cover, and -1 for no class."""
    prediction, reference = town
    expected = evaluate(write_labels(prediction, "map.tif"), write_labels(reference, "r.tif"))
    codes = np.array([111, 211, 512])
    values = np.where(reference == 255, -1, codes[reference % 253 % 3]).astype(dtype)
    theirs = write_labels(values, "codes.tif")
    ours = expected.scenes[0].map
    found = evaluate(ours, theirs, label_map={111: 0, 211: 1, 512: 2, -1: 255})
    assert np.array_equal(found.counts, expected.counts)
    with pytest.raises(DataError, match=r"holds the value -1(.0)? at row .*--label-map, or name"):
        evaluate(ours, theirs, label_map={111: 0, 211: 1, 512: 2})


def test_floats_count_where_they_are_whole(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    """As gdal_rasterize writes labels; a raster of heights is still refused."""
    ours = write_labels(town[0], "map.tif")
    expected = evaluate(ours, write_labels(town[1], "plain.tif"))
    values = np.where(town[1] == 255, np.nan, town[1]).astype(np.float32)
    assert np.array_equal(evaluate(ours, write_labels(values, "f.tif")).counts, expected.counts)
    values[40, 50] = 1.5
    with pytest.raises(DataError, match=r"holds the value 1.5 at row 40, col 50 \(1 such pix"):
        evaluate(ours, write_labels(values, "f.tif"))


def test_a_wrong_map_is_not_told_to_be_mapped(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    ours = write_labels(np.where(town[0] == 2, 7, town[0]).astype(np.uint8), "map.tif")
    theirs = write_labels(town[1], "r.tif")
    with pytest.raises(DataError, match=r"map.tif holds the value 7 .*: correct the map, or name"):
        evaluate(ours, theirs, classes=NAMES)
    with pytest.raises(DataError, match=r"correct the map, or take --protocol all-classes"):
        evaluate(ours, theirs, protocol="isprs")


def test_a_colour_table_of_another_order_is_refused(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    """By colour it is read as it should be, on the map's grid and warped onto it."""
    order = np.array([2, 0, 1])
    ours = paint(write_labels(town[0], "map.tif", nodata=255), dict(enumerate(COLOURS)))
    expected = evaluate(ours, write_labels(town[1], "plain.tif"), classes=SCHEME).counts
    values = np.where(town[1] == 255, 255, order[town[1] % 253 % 3]).astype(np.uint8)
    table = {int(order[index]): colour for index, colour in enumerate(COLOURS)}
    theirs = paint(write_labels(values, "other.tif", nodata=255), table)
    with pytest.raises(DataError, match=r"value 0 in \(0, 10, 0\), the colour of water and not of"):
        evaluate(ours, theirs, classes=SCHEME)
    found = evaluate(ours, theirs, classes=SCHEME, labels="colour")
    assert np.array_equal(found.counts, expected)
    grid = {"crs": "EPSG:32633", "transform": Affine(0.25, 0, 5e5, 0, -0.25, 5e6)}
    fine = values.repeat(2, axis=0).repeat(2, axis=1)
    theirs = paint(write_labels(fine, "fine.tif", grid=grid, nodata=255), table)
    found = evaluate(ours, theirs, classes=SCHEME, labels="colour", warp=True)
    assert np.array_equal(found.counts, expected)


def test_classes_of_one_colour_cannot_be_read_by_colour(write_labels: Any) -> None:  # noqa: ANN401
    same = ClassScheme(names=NAMES, colours=(COLOURS[0], COLOURS[1], COLOURS[0]))
    pictures = write_labels(np.zeros((3, 9, 9), np.uint8), "r.tif")
    with pytest.raises(DataError, match=r"classes land and tree both have the colour \(10, 0, 0\)"):
        evaluate(pictures, pictures, classes=same)


def test_tables_of_spreadsheets_are_read(town: Town, write_labels: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """They begin with a byte-order mark, and people put spaces behind commas."""
    write_labels(town[0], "map.tif"), write_labels(town[1], "r.tif")
    classes, scenes = tmp_path / "classes.csv", tmp_path / "scenes.csv"
    classes.write_text(
        "name, red, green, blue\nland, 1, 2, 3\nwater,4,5,6\ntree,7,8,9\n", "utf-8-sig"
    )
    scenes.write_text("map, reference\nmap.tif, r.tif\n", "utf-8-sig")
    report = evaluate(scenes, classes=classes)
    assert report.classes.colours == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    classes.write_text("name;red\nland;1\n")
    with pytest.raises(ValueError, match=r"has the columns name;red; give name,red,green,blue"):
        evaluate(scenes, classes=classes)


@pytest.mark.parametrize("label", [float("inf"), 10**400, "9" * 500])
def test_numbers_that_are_no_class(
    write_labels: Callable[..., Path], tmp_path: Path, label: object
) -> None:
    ours = write_labels(np.zeros((20, 20), np.uint8), "map.tif")
    point = {"type": "Point", "coordinates": [15, 45]}
    member = {"type": "Feature", "geometry": point, "properties": {"class": label}}
    path = tmp_path / "labels.geojson"
    path.write_text(json.dumps({"features": [member]}))
    with pytest.raises(DataError, match=r"has the class .*, which is no class; give class names"):
        evaluate(ours, path)


def test_only_references_are_told_to_be_warped(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    turned = {"crs": "EPSG:32633", "transform": Affine(0.5, 0.1, 5e5, 0.1, -0.5, 5e6)}
    ours, theirs = write_labels(town[0], "map.tif"), write_labels(town[1], "r.tif")
    other = write_labels(town[1], "turned.tif", grid=turned)
    with pytest.raises(GridMismatchError, match=r"turned or sheared by \(0.1, 0.1\); use --warp"):
        evaluate(ours, other)
    text = r"map and an image are on different grids: .*; give an image of the map's own pixels"
    with pytest.raises(GridMismatchError, match=text):
        evaluate(ours, theirs, image=other)


def test_a_missing_crs_is_told(town: Town, write_labels: Any) -> None:  # noqa: ANN401
    bare = {"transform": Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}
    theirs = write_labels(town[1], "bare.tif", grid=bare)
    report = evaluate(write_labels(town[0], "map.tif"), theirs)
    assert report.scenes[0].remarks == ("bare.tif has no CRS and was taken to be in the other's",)
