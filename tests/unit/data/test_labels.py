"""Labels by colour: each colour exactly, others refused or ignored, padding never a class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from rsmamba.classes import ISPRS_CLASSES, ISPRS_UNDEFINED, ClassScheme
from rsmamba.data import LabelledScene, LabelOptions, ScenePair
from rsmamba.data.labels import colour_values
from rsmamba.errors import DataError, GridMismatchError

WriteRaster = Callable[..., Path]
PALETTE = np.array([*ISPRS_CLASSES.colours, ISPRS_UNDEFINED], np.uint8)
INDICES = np.arange(7, dtype=np.uint8)[None]


def options(**values: Any) -> LabelOptions:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {"form": "colour", "colours": colour_values(ISPRS_CLASSES)}
    return LabelOptions(**{**fields, "ignored_colours": (ISPRS_UNDEFINED,), **values})


def painted(indices: np.ndarray) -> np.ndarray:
    return PALETTE[indices].transpose(2, 0, 1)


def read(image: Path, mask: Path, **values: Any) -> list[list[int]]:  # noqa: ANN401
    scene = LabelledScene(
        ScenePair(image=image, mask=mask), classes=ISPRS_CLASSES, labels=options(**values)
    )
    sample = scene.read(row=0, col=0, height=scene.height, width=scene.width)
    return [[int(value) for value in row] for row in sample.labels]


@pytest.fixture
def image(write_raster: WriteRaster) -> Path:
    return write_raster("i.tif", np.ones((3, 1, 7), np.uint8))


def test_isprs_colours_are_their_classes_and_black_is_none(
    write_raster: WriteRaster, image: Path
) -> None:
    mask = write_raster("m.tif", painted(INDICES))
    assert read(image, mask) == [[0, 1, 2, 3, 4, 5, 255]]


def test_palette_images_are_read_by_their_colours(write_raster: WriteRaster, image: Path) -> None:
    mask = write_raster("m.tif", 9 - INDICES, photometric="palette")
    with rasterio.open(mask, "r+") as file:
        file.write_colormap(1, {9 - i: (*map(int, PALETTE[i]), 255) for i in range(7)})
    assert read(image, mask) == [[0, 1, 2, 3, 4, 5, 255]]


def test_transparent_padding_is_ignored(write_raster: WriteRaster, image: Path) -> None:
    alpha = np.array([[[255, 0, 255, 255, 255, 255, 0]]], np.uint8)
    mask = write_raster("m.png", np.concatenate([painted(INDICES), alpha]), driver="PNG")
    assert read(image, mask) == [[0, 255, 2, 3, 4, 5, 255]]


def test_unknown_colours_are_refused_with_count_and_place(write_raster: WriteRaster) -> None:
    pixels = painted(np.zeros((1500, 8), np.uint8)).copy()
    pixels[:, 1200, 3], pixels[:, 1300, 1], pixels[:, 1300, 2] = (6, 0, 0), (6, 0, 0), 9
    mask = write_raster("m.tif", pixels)
    image = write_raster("i.tif", np.ones((1, 1500, 8), np.uint8))
    match = (
        r"m.tif has 3 pixels in 2 colours that are not in the palette, the first \(6, 0, 0\) at "
        r"row 1200, col 3; allowed are \(255, 255, 255\).*; correct the file, or set data.unknown"
    )
    with pytest.raises(DataError, match=match):
        read(image, mask)
    labels = np.array(read(image, mask, unknown="ignore"))
    assert labels[1200, 3] == labels[1300, 1] == labels[1300, 2] == 255
    assert (labels == 0).sum() == 1500 * 8 - 3


def test_black_is_unknown_unless_it_is_ignored(write_raster: WriteRaster, image: Path) -> None:
    with pytest.raises(DataError, match=r"has 1 pixels in 1 colours .* \(0, 0, 0\) at row 0, col"):
        read(image, write_raster("m.tif", painted(INDICES)), ignored_colours=())


def test_classes_may_be_dropped_by_the_map(write_raster: WriteRaster, image: Path) -> None:
    five = ClassScheme(names=ISPRS_CLASSES.names[:5], colours=ISPRS_CLASSES.colours[:5])
    pair = ScenePair(image=image, mask=write_raster("m.tif", painted(INDICES)))
    with pytest.raises(DataError, match=r"holds the label 5 .1 pixels, .* set data.label_map"):
        LabelledScene(pair, classes=five, labels=options())
    scene = LabelledScene(pair, classes=five, labels=options(), label_map={5: 255})
    assert scene.label_counts.tolist() == [1, 1, 1, 1, 1]


def test_rasters_without_colours_are_refused(write_raster: WriteRaster, image: Path) -> None:
    mask = write_raster("m.tif", INDICES)
    with pytest.raises(DataError, match=r"has 1 bands of uint8; labels by colour have red"):
        read(image, mask)
    with pytest.raises(DataError, match=r"3 bands of uint8; .* colours need data.labels: colour"):
        read(image, write_raster("c.tif", painted(INDICES)), form="index")


def test_labels_in_another_zone_are_refused(write_raster: WriteRaster) -> None:
    image = write_raster("i.tif", np.ones((1, 1, 7), np.uint8), crs="EPSG:32632")
    mask = write_raster("m.tif", INDICES % 6, crs="EPSG:32633")
    with pytest.raises(GridMismatchError, match=r"is in EPSG:32633 and its image in EPSG:32632"):
        read(image, mask, form="index")
