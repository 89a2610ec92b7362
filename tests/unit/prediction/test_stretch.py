"""Values of another type are brought to the range of the model, and it is said."""

import logging
from typing import Any

import numpy as np
import pytest

from rsmamba.errors import OptionError
from rsmamba.geo.scene import Scene
from rsmamba.prediction.stretch import Stretch, find_stretch

Lab = Any


def ramp(dtype: str = "uint16") -> Any:  # noqa: ANN401 - an array of any type
    """Two bands: 0 to 10000 and 1000 to 3000."""
    return np.stack([np.linspace(0, 10000, 400), np.linspace(1000, 3000, 400)]).reshape(
        2, 20, 20
    ).astype(dtype)  # fmt: skip


def test_other_types_are_stretched_from_2_to_98_percent(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    model = lab.constant_model(0.0, in_channels=2, input_dtype="uint8")
    with Scene.open(lab.scene(ramp())) as scene, caplog.at_level(logging.WARNING):
        stretch = find_stretch(scene, model, stretch="auto", part=scene.grid.window)
    assert stretch is not None
    np.testing.assert_allclose(stretch.lows, (200, 1040), atol=1)
    np.testing.assert_allclose(stretch.highs, (9800, 2960), atol=1)
    assert "holds uint16 and model custom was trained on uint8" in caplog.text


def test_a_stretch_is_linear_and_clipped() -> None:
    values = np.array([[[100, 200, 300]], [[-5, 5, 99]]], dtype=np.float32)
    Stretch(lows=(100, 0), highs=(300, 10), smallest=0, largest=255).apply(values)
    np.testing.assert_allclose(values, [[[0, 127.5, 255]], [[0, 127.5, 255]]])


@pytest.mark.parametrize(
    ("input_dtype", "stretch", "dtype"),
    [("uint8", "auto", "uint8"), (None, "auto", "uint16"), ("uint8", "none", "uint16")],
)
def test_values_go_through_unchanged(
    input_dtype: str | None, stretch: str, dtype: str, lab: Lab
) -> None:
    model = lab.constant_model(0.0, in_channels=2, input_dtype=input_dtype)
    with Scene.open(lab.scene(ramp(dtype) % 250)) as scene:
        assert find_stretch(scene, model, stretch=stretch, part=scene.grid.window) is None


def test_a_given_range_reaches_the_network_and_the_summary(lab: Lab) -> None:
    values = np.full((1, 8, 8), 30, dtype=np.uint16)
    values[:, :4] = 10
    model = lab.value_model(4, input_dtype="uint8", mean=[0.0], std=[255 / 3])
    result = lab.predict(lab.scene(values), model=model, stretch="10,40")
    np.testing.assert_array_equal(lab.read("map.tif"), np.where(values == 10, 0, 2))
    assert result.stretch == "10..40 to 0..255"


def test_a_constant_band_is_stretched_without_dividing_by_zero(lab: Lab) -> None:
    model = lab.constant_model(0.0, input_dtype="uint8")
    with Scene.open(lab.scene(np.full((1, 9, 9), 700, dtype=np.uint16))) as scene:
        stretch = find_stretch(scene, model, stretch="auto", part=scene.grid.window)
    assert stretch is not None
    assert stretch.highs > stretch.lows


def test_a_scene_without_valid_pixels_takes_the_range_of_its_type(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    model = lab.constant_model(0.0, input_dtype="uint8")
    scene = lab.scene(np.zeros((1, 9, 9), dtype=np.uint16), nodata=0)
    assert lab.predict(scene, model=model).stretch == "0..65535 to 0..255"
    assert "no valid pixel in a sample" in caplog.text


def test_numbers_that_look_like_nodata_are_pointed_out(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.full((1, 30, 30), 500, dtype=np.int16)
    values[:, :10] = -9999
    lab.predict(lab.scene(values), model=lab.constant_model(0.0, input_dtype="uint8"))
    assert "-9999 may mean nodata in scene.tif; give it as src_nodata if so" in caplog.text


@pytest.mark.parametrize("stretch", ["bright", "5,1", "1,2,3"])
def test_other_words_are_refused(stretch: str, lab: Lab) -> None:
    model = lab.constant_model(0.0, input_dtype="uint8")
    with pytest.raises(OptionError, match=f"stretch '{stretch}' is not known; give auto, none"):
        lab.predict(lab.random_scene(5, 5), model=model, stretch=stretch)
