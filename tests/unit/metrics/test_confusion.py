"""Confusion matrices: every counted pixel once, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmamba.errors import DataError, OptionError, ShapeError
from rsmamba.metrics import ConfusionMatrix


def counted(
    reference: list[int], prediction: list[int], *, num_classes: int = 3, ignore_index: int = 255
) -> list[list[int]]:
    matrix = ConfusionMatrix(num_classes)
    matrix.add(np.array(reference), np.array(prediction), ignore_index=ignore_index)
    counts: list[list[int]] = matrix.counts.tolist()
    return counts


def test_rows_are_reference_and_columns_prediction() -> None:
    assert counted([0, 0, 0, 1, 2], [0, 1, 1, 1, 0]) == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("ignore_index", [3, 255])
def test_ignored_pixels_of_either_map_are_not_counted(ignore_index: int) -> None:
    counts = counted(
        [0, ignore_index, 1], [0, 1, ignore_index], num_classes=2, ignore_index=ignore_index
    )
    assert counts == [[1, 0], [0, 0]]


def test_a_map_without_counted_pixels_adds_nothing() -> None:
    assert counted([255, 255], [0, 1], num_classes=2) == [[0, 0], [0, 0]]


def test_unsigned_bytes_do_not_overflow() -> None:
    matrix = ConfusionMatrix(200)
    matrix.add(np.full((4, 4), 199, np.uint8), np.full((4, 4), 198, np.uint8))
    assert matrix.counts[199, 198] == matrix.total == 16


@settings(deadline=None)
@given(pixels=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))), cut=st.integers(0, 20))
def test_merged_parts_equal_the_whole(pixels: list[tuple[int, int]], cut: int) -> None:
    """Maps may be counted in any pieces."""
    pairs = np.array(pixels, dtype=np.int64).reshape(-1, 2)
    whole, first, second = (ConfusionMatrix(4) for _ in range(3))
    whole.add(pairs[:, 0], pairs[:, 1])
    first.add(pairs[:cut, 0], pairs[:cut, 1])
    second.add(pairs[cut:, 0], pairs[cut:, 1])
    first.merge(second)
    assert np.array_equal(first.counts, whole.counts)
    assert whole.total == len(pixels)


@pytest.mark.parametrize("num_classes", [0, 256])
def test_number_of_classes_is_checked(num_classes: int) -> None:
    with pytest.raises(OptionError, match=f"num_classes is {num_classes}; .* takes 1 to 255"):
        ConfusionMatrix(num_classes)


def test_maps_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"reference has shape \(2, 3\) and prediction \(3, 2\)"):
        ConfusionMatrix(2).add(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


@pytest.mark.parametrize("value", [-1, 2, 254])
def test_values_outside_the_classes_are_refused_and_not_counted(value: int) -> None:
    matrix = ConfusionMatrix(2)
    with pytest.raises(DataError, match=f"prediction holds the value {value} .1 pixels"):
        matrix.add(np.array([0, 1]), np.array([0, value]))
    with pytest.raises(DataError, match=f"reference holds the value {value} .*allowed are 0 to 1"):
        matrix.add(np.array([value, 1]), np.array([0, 1]))
    assert matrix.total == 0


def test_matrices_of_other_classes_do_not_merge() -> None:
    with pytest.raises(ShapeError, match="a matrix of 3 classes into one of 2"):
        ConfusionMatrix(2).merge(ConfusionMatrix(3))
