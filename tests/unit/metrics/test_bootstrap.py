"""Block bootstrap: repeatable, and as wide as the blocks differ."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rsmamba.errors import OptionError
from rsmamba.metrics import bootstrap_intervals, compute_scores


@pytest.fixture
def blocks() -> NDArray[np.int64]:
    """Forty blocks whose accuracy differs from block to block, class 2 nowhere."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 20, (40, 3, 3))
    blocks[:, [0, 1], [0, 1]] += random.integers(0, 200, (40, 1))
    blocks[:, 2] = blocks[:, :, 2] = 0
    return blocks


def test_intervals_hold_the_score_and_repeat(blocks: NDArray[np.int64]) -> None:
    intervals = bootstrap_intervals(blocks, seed=4)
    again = bootstrap_intervals(blocks, seed=4)
    assert intervals is not None
    assert again is not None
    scores = compute_scores(blocks.sum(axis=0))
    for name in ("overall_accuracy", "kappa", "mean_iou", "mean_f1"):
        low, high = getattr(intervals, name)
        assert low < getattr(scores, name) < high
        assert np.array_equal(getattr(again, name), (low, high))
    assert (intervals.iou[:2, 0] < scores.iou[:2]).all()
    assert np.isnan(intervals.f1[2]).all()


def test_intervals_cover_as_often_as_they_say() -> None:
    """Accuracy of blocks from one source: its true value lies inside in about 95 of 100 trials."""
    random = np.random.default_rng(1)
    inside = 0
    for trial in range(100):
        right = random.binomial(100, 0.8, 50)
        blocks = np.stack([right, 100 - right], axis=1)[:, None, :] * np.array([[[1], [0]]])
        intervals = bootstrap_intervals(blocks, seed=trial, resamples=200)
        assert intervals is not None
        low, high = intervals.overall_accuracy
        inside += low <= 0.8 <= high
    assert 87 <= inside <= 99


def test_equal_blocks_have_no_width() -> None:
    intervals = bootstrap_intervals(np.array([[[3, 1], [2, 4]]] * 5), resamples=20)
    assert intervals is not None
    assert intervals.overall_accuracy.tolist() == pytest.approx([0.7, 0.7])


def test_blocks_without_pixels_do_not_count() -> None:
    one = np.array([[3, 1], [2, 4]])
    assert bootstrap_intervals(np.stack([one, 0 * one])) is None
    several = bootstrap_intervals(np.stack([one, 0 * one, one]), resamples=10)
    assert several is not None
    assert (several.blocks, several.resamples) == (2, 10)


def test_classes_out_of_the_means_stay_in_accuracy(blocks: NDArray[np.int64]) -> None:
    intervals = bootstrap_intervals(blocks, mean_classes=(0,), resamples=50)
    assert intervals is not None
    assert intervals.mean_iou.tolist() == pytest.approx(intervals.iou[0].tolist())


def test_few_resamples_are_refused(blocks: NDArray[np.int64]) -> None:
    with pytest.raises(OptionError, match="9 resamples give no interval; give 10 or more"):
        bootstrap_intervals(blocks, resamples=9)
