"""Overviews: the commonest class and the mean of each two by two pixels."""

from collections import Counter

import numpy as np
import pytest

from rsmamba.geo.pyramid import halve_mean_float, halve_mean_uint8, halve_mode


def test_mode_is_one_of_the_commonest_classes_and_nodata_only_alone() -> None:
    rng = np.random.default_rng(0)
    classes = rng.choice(np.array([0, 1, 2, 255], np.uint8), size=(1, 64, 64))
    coarse = halve_mode(classes)
    for row, col in np.ndindex(32, 32):
        four = classes[0, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel().tolist()
        votes = Counter(value for value in four if value != 255)
        best = [value for value, count in votes.items() if count == max(votes.values())]
        expected = best[0] if best else 255
        assert coarse[0, row, col] == expected, four


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 1), (5, 4)])
def test_odd_sides_are_rounded_up_without_growing_nodata(shape: tuple[int, int]) -> None:
    height, width = shape
    expected = (1, (height + 1) // 2, (width + 1) // 2)
    for halve in (halve_mode, halve_mean_uint8):
        coarse = halve(np.full((1, height, width), 7, np.uint8))
        assert coarse.shape == expected
        assert (coarse == 7).all()
    mean = halve_mean_float(np.full((1, height, width), 0.5, np.float32))
    assert (mean == 0.5).all()


def test_mean_leaves_nodata_out() -> None:
    scores = np.array([[[0, 1, 255, 255], [254, 255, 255, 255]]], np.uint8)
    assert halve_mean_uint8(scores).tolist() == [[[85, 255]]]
    floats = np.where(scores == 255, np.nan, scores).astype(np.float32)
    np.testing.assert_array_equal(halve_mean_float(floats), np.array([[[85, np.nan]]], np.float32))
