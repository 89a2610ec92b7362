"""Boundary erosion: the disc around a pixel, looked at pixel by pixel."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rsmamba.errors import OptionError
from rsmamba.metrics import erosion_levels


def by_definition(labels: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Smallest disc with a second class, searched the slow way."""
    rows, cols = np.indices(labels.shape)
    levels = np.full(labels.shape, radius + 1, np.uint8)
    for row, col in np.ndindex(labels.shape):
        if labels[row, col] == 255:
            continue
        other = (labels != labels[row, col]) & (labels != 255)
        square = ((rows - row) ** 2 + (cols - col) ** 2)[other]
        nearest = int(np.ceil(np.sqrt(square.min()))) if square.size else radius + 1
        levels[row, col] = min(nearest, radius + 1)
    return levels


@pytest.fixture
def labels() -> NDArray[np.uint8]:
    """Patches of four classes with ignored holes."""
    random = np.random.default_rng(7)
    labels = random.integers(0, 4, (6, 8), dtype=np.uint8).repeat(5, axis=0).repeat(4, axis=1)
    labels[random.random(labels.shape) < 0.05] = 255
    return labels


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 6])
def test_levels_are_those_of_the_definition(labels: NDArray[np.uint8], radius: int) -> None:
    assert np.array_equal(erosion_levels(labels, radius=radius), by_definition(labels, radius))


def test_an_eroded_reference_stays_as_it_is(labels: NDArray[np.uint8]) -> None:
    """The ISPRS references without boundaries may be eroded again."""
    eroded = np.where(erosion_levels(labels, radius=3) <= 3, np.uint8(255), labels)
    assert (erosion_levels(eroded, radius=3) == 4).all()
    assert (eroded != 255).any()


def test_a_disc_has_no_corners() -> None:
    """(2, 2) is farther than 2 away and (2, 3) nearer than 4."""
    labels = np.zeros((5, 7), np.uint8)
    labels[0, 0] = 1
    levels = erosion_levels(labels, radius=4)
    assert levels[2, 2] == 3
    assert levels[2, 3] == 4
    assert levels[0, 0] == levels[0, 1] == 1


@pytest.mark.parametrize("value", [0, 255])
def test_without_a_second_class_nothing_is_removed(value: int) -> None:
    assert (erosion_levels(np.full((4, 4), value, np.uint8), radius=3) == 4).all()


def test_a_disc_larger_than_the_array_works() -> None:
    assert erosion_levels(np.array([[0, 1]], np.uint8), radius=9).tolist() == [[1, 1]]


@pytest.mark.parametrize("radius", [-1, 51])
def test_other_radii_are_refused(radius: int) -> None:
    with pytest.raises(OptionError, match=f"boundary radius {radius} px is not possible; give 0"):
        erosion_levels(np.zeros((2, 2), np.uint8), radius=radius)
