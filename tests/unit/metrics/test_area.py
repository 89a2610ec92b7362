"""Area estimates: the worked example of Olofsson et al. 2014, to its published digits."""

import numpy as np
import pytest

from rsmamba.errors import DataError, ShapeError
from rsmamba.metrics import AreaEstimates, estimate_areas
from rsmamba.metrics.area import FACTOR_95

# Table 8: rows are map classes deforestation, forest gain, stable forest, stable non-forest.
SAMPLE = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
HECTARES_A_PIXEL = 0.09


@pytest.fixture
def example() -> AreaEstimates:
    return estimate_areas(SAMPLE.T, MAPPED_PIXELS * HECTARES_A_PIXEL)


def test_published_accuracies(example: AreaEstimates) -> None:
    """Page 54, left column."""
    assert example.users_accuracy.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert (FACTOR_95 * example.users_accuracy_se).round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert example.producers_accuracy.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert round(example.overall_accuracy, 2) == 0.95
    assert round(FACTOR_95 * example.overall_accuracy_se, 2) == 0.02


def test_published_areas(example: AreaEstimates) -> None:
    """Page 54, right column: hectares with the half width of the 95 % interval."""
    assert example.area.round().tolist() == [21_158, 11_686, 285_770, 581_386]
    assert (FACTOR_95 * example.area_se).round().tolist() == [6_158, 3_756, 15_510, 16_282]


def test_numbers_of_the_r_package(example: AreaEstimates) -> None:
    """Half widths that mapaccuracy 0.1.2 computes for the same table, with its factor."""
    factor = 1.959963984540054
    users = [0.07403962, 0.10075516, 0.03974464, 0.02053312]
    producers = [0.21330593, 0.25440369, 0.03432379, 0.01836120]
    np.testing.assert_allclose(factor * example.users_accuracy_se, users, rtol=0, atol=1e-6)
    np.testing.assert_allclose(factor * example.producers_accuracy_se, producers, rtol=0, atol=1e-6)
    assert factor * example.overall_accuracy_se == pytest.approx(0.01848328, abs=1e-6)


def test_a_class_that_is_not_mapped_keeps_its_estimated_area() -> None:
    """Its area comes from the pixels of other map classes, and it has no user's accuracy."""
    counts = np.array([[90, 0, 0], [10, 80, 0], [0, 20, 0]])
    estimates = estimate_areas(counts, np.array([500, 500, 0]))
    assert estimates.share.tolist() == pytest.approx([0.45, 0.45, 0.1])
    assert estimates.users_accuracy.tolist() == pytest.approx([0.9, 0.8, 0])
    assert estimates.producers_accuracy[2] == 0
    assert estimates.area.sum() == pytest.approx(1000)
    assert all(np.isfinite(getattr(estimates, name)).all() for name in estimates.__slots__)


@pytest.mark.parametrize("labelled", [0, 1])
def test_too_small_a_sample_is_refused(labelled: int) -> None:
    with pytest.raises(DataError, match=f"map class 1 has {labelled} labelled pixels; areas need"):
        estimate_areas(np.array([[9, 0], [3, labelled]]), np.array([5, 5]))


def test_an_empty_map_is_refused() -> None:
    with pytest.raises(DataError, match="the map has no pixel of any class"):
        estimate_areas(np.ones((2, 2), np.int64), np.zeros(2))


def test_shapes_must_belong_together() -> None:
    with pytest.raises(ShapeError, match=r"counts have shape \(2, 2\) and mapped areas \(3,\)"):
        estimate_areas(np.ones((2, 2), np.int64), np.ones(3))
