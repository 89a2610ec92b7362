"""Masked pixels get nodata, and masked tiles cost nothing."""

from typing import Any

import numpy as np
import pytest

Lab = Any


def test_masked_pixels_are_nodata_in_every_output(lab: Lab) -> None:
    values = np.random.default_rng(3).integers(1, 4, (1, 50, 90), dtype=np.uint8)
    values[:, 10:30, 20:60] = 0
    outputs = {"probabilities": "p.tif", "confidence": "c.tif"}
    result = lab.predict(
        lab.scene(values, nodata=0), model=lab.value_model(4), tile=32, overlap=8, **outputs
    )
    np.testing.assert_array_equal(lab.read("map.tif"), np.where(values == 0, 255, values))
    assert ((lab.read("p.tif") == 255) == (values == 0)).all()
    assert ((lab.read("c.tif") == 255) == (values == 0)).all()
    assert result.masked_pixels == 20 * 40
    assert sum(result.class_pixels.values()) == 50 * 90 - 20 * 40


def test_masked_pixels_are_nan_in_float_scores(lab: Lab) -> None:
    values = np.ones((1, 20, 20), dtype=np.float32)
    values[0, :5] = np.nan
    outputs = {"probabilities": "p.tif", "prob_dtype": "float32"}
    lab.predict(lab.scene(values), model=lab.value_model(2), **outputs)
    scores = lab.read("p.tif")
    assert np.isnan(scores[:, :5]).all()
    np.testing.assert_allclose(scores[1, 5:], 1, atol=1e-6)


def test_a_tile_without_a_valid_pixel_is_not_computed(lab: Lab) -> None:
    values = np.ones((1, 64, 64), dtype=np.uint8)
    values[:, :, 32:] = 0
    model = lab.constant_model(0.0, 1.0)
    result = lab.predict(lab.scene(values, nodata=0), model=model, tile=32, overlap=0)
    assert model.network.calls == [1, 1]
    assert (result.tiles_computed, result.tiles_skipped) == (2, 2)
    np.testing.assert_array_equal(lab.read("map.tif"), np.where(values == 0, 255, 1))


def test_a_scene_without_a_valid_pixel_gives_an_empty_map(lab: Lab) -> None:
    scene = lab.scene(np.zeros((1, 40, 40), dtype=np.uint8), nodata=0)
    model = lab.constant_model(0.0, 1.0)
    result = lab.predict(scene, model=model)
    assert model.network.calls == []
    assert result.masked_pixels == 1600
    assert (lab.read("map.tif") == 255).all()


def test_the_network_sees_masked_pixels_as_the_mean(lab: Lab) -> None:
    values = np.random.default_rng(5).integers(1, 256, (1, 60, 60), dtype=np.uint8)
    values[:, 20:40, 20:40] = 0
    filled = np.where(values == 0, 128, values).astype(np.uint8)
    options = {"model": lab.convolution_model(), "tile": 32, "overlap": 16}
    lab.predict(lab.scene(values, name="a.tif", nodata=0), "masked.tif", **options)
    lab.predict(lab.scene(filled, name="b.tif"), "filled.tif", **options)
    expected = np.where(values == 0, 255, lab.read("filled.tif"))
    np.testing.assert_array_equal(lab.read("masked.tif"), expected)


@pytest.mark.parametrize("nodata", [0, 7])
def test_src_nodata_is_taken_over_the_file(nodata: int, lab: Lab) -> None:
    values = np.full((1, 12, 12), 7, dtype=np.uint8)
    values[:, :6] = 0
    lab.predict(lab.scene(values, nodata=99), model=lab.value_model(8), src_nodata=nodata)
    np.testing.assert_array_equal(lab.read("map.tif"), np.where(values == nodata, 255, values))
