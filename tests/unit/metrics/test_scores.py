"""Scores: numbers worked out by hand, and never NaN."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmamba.metrics import compute_scores

# 20 pixels; class 2 occurs in neither map.
COUNTS = np.array([[8, 2, 0], [4, 6, 0], [0, 0, 0]])


def test_scores_equal_those_worked_out_by_hand() -> None:
    scores = compute_scores(COUNTS)
    assert scores.overall_accuracy == pytest.approx(14 / 20)
    assert scores.iou[:2] == pytest.approx([8 / 14, 6 / 12])
    assert scores.f1[:2] == pytest.approx([16 / 22, 12 / 18])
    assert scores.precision[:2] == pytest.approx([8 / 12, 6 / 8])
    assert scores.recall[:2] == pytest.approx([8 / 10, 6 / 10])
    # Chance agreement: (10 * 12 + 10 * 8) / 20**2.
    assert scores.kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_absent_classes_are_left_out_of_means() -> None:
    scores = compute_scores(COUNTS)
    assert scores.present.tolist() == [True, True, False]
    assert scores.mean_iou == pytest.approx((8 / 14 + 6 / 12) / 2)
    assert scores.mean_f1 == pytest.approx((16 / 22 + 12 / 18) / 2)
    assert scores.iou[2] == scores.f1[2] == scores.precision[2] == scores.recall[2] == 0


def test_a_class_that_is_only_predicted_counts_as_wrong() -> None:
    scores = compute_scores(np.array([[6, 4], [0, 0]]))
    assert scores.present.all()
    assert scores.mean_iou == pytest.approx(0.6 / 2)
    assert scores.recall[1] == scores.precision[1] == 0


def test_a_perfect_map_scores_one() -> None:
    scores = compute_scores(np.diag([5, 7, 0, 1]))
    assert scores.overall_accuracy == scores.kappa == scores.mean_iou == scores.mean_f1 == 1


def test_a_map_turned_upside_down_has_negative_kappa() -> None:
    assert compute_scores(np.array([[0, 5], [5, 0]])).kappa == pytest.approx(-1)


def test_one_class_everywhere_has_kappa_zero() -> None:
    scores = compute_scores(np.array([[9, 0], [0, 0]]))
    assert scores.overall_accuracy == scores.mean_iou == 1
    assert scores.kappa == 0


def test_an_empty_matrix_scores_zero() -> None:
    scores = compute_scores(np.zeros((3, 3), np.int64))
    assert scores.overall_accuracy == scores.kappa == scores.mean_iou == scores.mean_f1 == 0
    assert not scores.present.any()


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 2**40), min_size=9, max_size=9))
def test_scores_are_finite_and_in_range(counts: list[int]) -> None:
    scores = asdict(compute_scores(np.array(counts).reshape(3, 3)))
    for name, value in scores.items():
        assert np.isfinite(value).all(), name
        assert np.all(np.asarray(value) <= 1 + 1e-9), name
        assert np.all(np.asarray(value) >= (-1 if name == "kappa" else 0)), name


def test_means_over_some_classes_leave_accuracy_alone() -> None:
    """Clutter: wrong where it is, but not one of the classes that means are taken over."""
    scores = compute_scores(COUNTS, mean_classes=(0, 2))
    assert scores.mean_iou == pytest.approx(8 / 14)
    assert scores.mean_f1 == pytest.approx(16 / 22)
    assert scores.overall_accuracy == compute_scores(COUNTS).overall_accuracy
    assert compute_scores(COUNTS, mean_classes=(2,)).mean_iou == 0
