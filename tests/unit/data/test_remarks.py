"""Oddities of training data are told in one line each."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio

from rsmamba.classes import ClassScheme
from rsmamba.data import LabelledScene, ScenePair, band_statistics, remarks

WriteRaster = Callable[..., Path]
LABELS = np.array([[0, 2, 255]], np.uint8)


def make_scene(write_raster: WriteRaster, pixels: np.ndarray) -> LabelledScene:
    pair = ScenePair(image=write_raster("i.tif", pixels), mask=write_raster("m.tif", LABELS))
    return LabelledScene(pair, classes=ClassScheme.from_names(["field", "road", "lake"]))


def test_constant_bands_nan_and_empty_classes_are_told(write_raster: WriteRaster) -> None:
    pixels = np.array([[[1, 2, np.nan]], [[7, 7, 7]]], np.float32)
    scene = make_scene(write_raster, pixels)
    band, pixel, empty = remarks([scene], band_statistics([scene]), band_names=["red", "ndsm"])
    assert band.startswith("band 2 (ndsm) is 7 in every valid pixel of the training scenes and tea")
    assert pixel.endswith("i.tif has 1 pixels of 3 that are NaN or nodata; they teach nothing")
    assert empty == "the class road has no pixel in the training scenes and cannot be learnt"


def test_nan_never_reaches_the_network(write_raster: WriteRaster) -> None:
    pixels = np.array([[[1, np.nan, np.inf]]], np.float32)
    sample = make_scene(write_raster, pixels).read(row=0, col=0, height=1, width=3)
    assert sample.pixels.tolist() == [[[1, 0, 0]]]
    assert sample.labels.tolist() == [[0, 255, 255]]


def test_good_data_are_not_remarked(write_raster: WriteRaster) -> None:
    scene = make_scene(write_raster, np.array([[[1, 2, 3]]], np.uint8))
    lines = remarks([scene], band_statistics([scene]))
    assert [line.split(" has no pixel")[0] for line in lines] == ["the class road"]


def test_indices_of_a_colour_table_are_told_unless_asked_for(write_raster: WriteRaster) -> None:
    scene = make_scene(write_raster, np.array([[[1, 2, 3]]], np.uint8))
    with rasterio.open(scene.pair.image, "r+") as file:
        file.write_colormap(1, {1: (255, 0, 0, 255)})
    scenes = [LabelledScene(scene.pair, classes=scene.classes, bidx=bidx) for bidx in (None, (1,))]

    told, asked = (remarks([each], band_statistics([each])) for each in scenes)

    assert told[0].split(" has a ")[1].startswith("colour table, as 1 of 1 training scenes have")
    assert told[1:] == asked
