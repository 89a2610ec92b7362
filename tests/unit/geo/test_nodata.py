"""Valid masks from nodata numbers and NaN."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rsmamba.geo.nodata import blank_invalid, valid_from_values


def _bands(*bands: list[float], dtype: str) -> NDArray[np.generic]:
    return np.array([[band] for band in bands], dtype=dtype)  # (C, 1, w)


def test_saturated_pixels_stay_valid_unless_all_bands_are() -> None:
    pixels = _bands([255, 255, 9], [255, 7, 9], dtype="uint8")
    assert valid_from_values(pixels, [255, 255]).tolist() == [[False, True, True]]


def test_sentinels_count_in_any_band() -> None:
    pixels = _bands([-9999, 5, 5], [5, -9999, 5], dtype="int16")
    assert valid_from_values(pixels, [-9999, -9999]).tolist() == [[False, False, True]]


def test_zero_in_one_float_band_is_a_measurement() -> None:
    pixels = _bands([0, 0], [1, 0], dtype="float32")
    assert valid_from_values(pixels, [0, 0]).tolist() == [[True, False]]


def test_nan_and_infinity_are_invalid_in_any_band() -> None:
    pixels = _bands([np.nan, 1, 1], [1, np.inf, 1], dtype="float32")
    assert valid_from_values(pixels, [None, None]).tolist() == [[False, False, True]]
    assert valid_from_values(pixels, [np.nan, np.nan]).tolist() == [[False, False, True]]


def test_tag_is_compared_in_the_type_of_the_pixels() -> None:
    pixels = _bands([-3.4e38, 1], dtype="float32")
    assert valid_from_values(pixels, [-3.3999999521443642e38]).tolist() == [[False, True]]


@pytest.mark.parametrize("tag", [-9999.0, 256.0, 0.5, float("nan"), float("inf")])
def test_numbers_that_the_type_cannot_hold_mark_nothing(tag: float) -> None:
    assert valid_from_values(_bands([0, 255], dtype="uint8"), [tag]).all()


def test_a_band_without_a_number_keeps_the_pixel() -> None:
    assert valid_from_values(_bands([0], [0], dtype="uint8"), [0, None]).all()


def test_invalid_pixels_become_zero() -> None:
    pixels = _bands([np.nan, 2], [3, 4], dtype="float32")
    blank_invalid(pixels, np.array([[False, True]]))
    assert pixels.tolist() == [[[0, 2]], [[0, 4]]]
