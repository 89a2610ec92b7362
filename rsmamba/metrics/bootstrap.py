"""Block bootstrap: how much scores would change with other parts of the same scenes.

Neighbouring pixels are alike, so pixels cannot be resampled one by one. Blocks of pixels are, with
replacement (Kuensch 1989); intervals are percentiles of the scores of the resampled matrices.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import OptionError
from rsmamba.metrics.scores import Scores, compute_scores

FloatArray = NDArray[np.float64]
_LEVEL = 0.95
# Resampled matrices are made in parts of about this many numbers.
_PART = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Lower and upper end of the 95 % interval of each score.

    Attributes:
        blocks: Blocks that were resampled.
        resamples: How often.
        overall_accuracy: Ends, shape (2,).
        kappa: Ends, shape (2,).
        mean_iou: Ends, shape (2,).
        mean_f1: Ends, shape (2,).
        iou: Ends for each class, shape (num_classes, 2); NaN where no resample has the class.
        f1: Ends for each class, shape (num_classes, 2); NaN where no resample has the class.
    """

    blocks: int
    resamples: int
    overall_accuracy: FloatArray
    kappa: FloatArray
    mean_iou: FloatArray
    mean_f1: FloatArray
    iou: FloatArray
    f1: FloatArray


def bootstrap_intervals(
    blocks: NDArray[np.integer],
    *,
    resamples: int = 1000,
    seed: int = 0,
    mean_classes: tuple[int, ...] | None = None,
) -> Intervals | None:
    """Compute 95 % intervals by resampling blocks.

    Args:
        blocks: Confusion matrix of each block (B, num_classes, num_classes); blocks without a
            counted pixel are left out.
        resamples: How often to resample, 10 or more.
        seed: Of the random numbers, 0 or more; the same seed gives the same intervals.
        mean_classes: As in ``compute_scores``.

    Returns:
        The intervals; None if fewer than two blocks have counted pixels.

    Raises:
        OptionError: If `resamples` is below 10, or `seed` is negative.

    Example:
        >>> blocks = np.array([[[8, 2], [1, 9]], [[6, 4], [2, 8]], [[9, 1], [1, 9]]])
        >>> intervals = bootstrap_intervals(blocks)
        >>> intervals.overall_accuracy.tolist()
        [0.7, 0.9]
    """
    check_resampling(resamples=resamples, seed=seed)
    counted = blocks[blocks.sum(axis=(1, 2)) > 0].astype(np.float64)
    if len(counted) < 2:
        return None
    random = np.random.default_rng(seed)
    scores: list[Scores] = []
    part = max(1, _PART // len(counted))
    flat = counted.reshape(len(counted), -1)  # (B, num_classes ** 2)
    even = np.full(len(counted), 1 / len(counted))
    for start in range(0, resamples, part):
        times = random.multinomial(len(counted), even, size=min(part, resamples - start))
        drawn = (times @ flat).round().astype(np.int64).reshape(-1, *blocks.shape[1:])
        scores += [compute_scores(matrix, mean_classes=mean_classes) for matrix in drawn]
    ends = {
        field.name: _ends(scores, field.name)
        for field in fields(Intervals)
        if field.name not in {"blocks", "resamples"}
    }
    return Intervals(blocks=len(counted), resamples=resamples, **ends)


def check_resampling(*, resamples: int, seed: int) -> None:
    """Refuse what gives no interval.

    Args:
        resamples: How often to resample.
        seed: Of the random numbers.

    Raises:
        OptionError: If `resamples` is below 10, or `seed` is negative.
    """
    if resamples < 10:
        message = f"{resamples} resamples give no interval; give 10 or more, such as 1000"
        raise OptionError(message)
    if seed < 0:
        message = f"seed {seed} is not possible; give 0 or more"
        raise OptionError(message)


def _ends(scores: list[Scores], name: str) -> FloatArray:
    """Percentiles of one score, classes that a resample lacks left out."""
    values = np.array([getattr(score, name) for score in scores], np.float64)
    if values.ndim == 1:
        return np.percentile(values, _percents())
    present = np.array([score.present for score in scores])
    ends = np.full((values.shape[1], 2), np.nan)
    for class_index, column in enumerate(values.T):
        there = column[present[:, class_index]]
        if there.size:
            ends[class_index] = np.percentile(there, _percents())
    return ends


def _percents() -> tuple[float, float]:
    return 50 * (1 - _LEVEL), 50 * (1 + _LEVEL)
