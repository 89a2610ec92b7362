"""Band statistics: exact, over valid pixels only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.data import LabelledScene, ScenePair, band_statistics
from rsmamba.errors import DataError

WriteRaster = Callable[..., Path]


def make_scene(
    write: WriteRaster,
    name: str,
    pixels: NDArray[Any],
    **profile: Any,  # noqa: ANN401
) -> LabelledScene:
    image = write(f"{name}.tif", pixels, **profile)
    mask = write(f"{name}_labels.tif", np.zeros(pixels.shape[1:], np.uint8))
    return LabelledScene(ScenePair(image=image, mask=mask), classes=ClassScheme.from_names(["a"]))


def test_statistics_equal_those_of_all_pixels_together(write_raster: WriteRaster) -> None:
    """Over scenes of several sizes and strips, with values whose squares would cancel."""
    rng = np.random.default_rng(0)
    shapes = [(2, 700, 3), (2, 5, 40), (2, 1, 1)]
    arrays = [(60_000 + rng.integers(0, 9, shape)).astype(np.uint16) for shape in shapes]
    scenes = [make_scene(write_raster, f"s{i}", pixels) for i, pixels in enumerate(arrays)]
    together = np.concatenate([pixels.reshape(2, -1) for pixels in arrays], axis=1).astype(float)
    statistics = band_statistics(scenes)
    assert statistics.mean == pytest.approx(together.mean(axis=1), rel=1e-12)
    assert statistics.std == pytest.approx(together.std(axis=1), rel=1e-9)


def test_invalid_pixels_do_not_count(write_raster: WriteRaster) -> None:
    pixels = np.array([[[4, 6, 0, 0]]], np.float32)
    pixels[0, 0, 2:] = -9999, np.nan
    statistics = band_statistics([make_scene(write_raster, "s", pixels, nodata=-9999)])
    assert (statistics.mean, statistics.std) == ((5.0,), (1.0,))


def test_a_constant_band_can_be_divided_by_its_std(write_raster: WriteRaster) -> None:
    pixels = np.full((1, 4, 4), 9, np.uint8)
    assert band_statistics([make_scene(write_raster, "s", pixels)]).std == (1.0,)


def test_scenes_without_valid_pixels_are_refused(write_raster: WriteRaster) -> None:
    scene = make_scene(write_raster, "s", np.zeros((1, 4, 4), np.uint8), nodata=0)
    with pytest.raises(DataError, match="have no valid pixel; check their nodata value or mask"):
        band_statistics([scene])


def test_a_constant_fraction_is_constant(write_raster: WriteRaster) -> None:
    pixels = np.stack([np.full((70, 70), 0.1), np.arange(4900).reshape(70, 70)])
    statistics = band_statistics([make_scene(write_raster, "s", pixels.astype(np.float32))])
    assert statistics.constant_bands == (1,)
    assert statistics.std[0] == 1.0
