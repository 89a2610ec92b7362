"""Scores read from a confusion matrix; never NaN.

A class is *present* when at least one pixel has it in the reference or in the prediction.
Absent classes score 0 and are left out of the means. A ratio whose denominator is 0 (precision
of a class that was never predicted, recall of one that never occurs, anything of an empty
matrix) is 0. Kappa is 0 when chance alone already explains full agreement, as when both maps
hold one and the same class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of one confusion matrix, all between 0 and 1 except kappa (-1 to 1).

    Attributes:
        overall_accuracy: Share of counted pixels whose class is right.
        kappa: Cohen's kappa.
        mean_iou: Mean IoU over present classes, of those that means are taken over.
        mean_f1: Mean F1 over the same classes.
        iou: IoU per class, shape (num_classes,).
        f1: F1 per class, shape (num_classes,).
        precision: Precision (user's accuracy) per class, shape (num_classes,).
        recall: Recall (producer's accuracy) per class, shape (num_classes,).
        present: True for classes that occur in either map, shape (num_classes,).
    """

    overall_accuracy: float
    kappa: float
    mean_iou: float
    mean_f1: float
    iou: FloatArray
    f1: FloatArray
    precision: FloatArray
    recall: FloatArray
    present: NDArray[np.bool_]


def compute_scores(
    counts: NDArray[np.int64], *, mean_classes: Sequence[int] | None = None
) -> Scores:
    """Compute all scores of a confusion matrix.

    Args:
        counts: Pixel counts (num_classes, num_classes), rows reference, columns prediction.
        mean_classes: Class indices that mean IoU and mean F1 are taken over; None for all. The
            other classes still count in overall accuracy, in kappa and as errors of these.

    Returns:
        The scores, free of NaN.

    Example:
        >>> scores = compute_scores(np.array([[3, 1], [0, 4]]))
        >>> round(scores.overall_accuracy, 3), round(scores.mean_iou, 3)
        (0.875, 0.775)
    """
    right = np.diagonal(counts).astype(np.float64)
    in_reference = counts.sum(axis=1).astype(np.float64)
    in_prediction = counts.sum(axis=0).astype(np.float64)
    total = float(in_reference.sum())
    present = (in_reference + in_prediction) > 0
    averaged = present.copy()
    if mean_classes is not None:
        averaged[np.setdiff1d(np.arange(len(counts)), mean_classes)] = False
    iou = _ratio(right, in_reference + in_prediction - right)
    f1 = _ratio(2 * right, in_reference + in_prediction)
    accuracy = float(right.sum()) / total if total else 0.0
    chance = float((in_reference * in_prediction).sum()) / total**2 if total else 1.0
    return Scores(
        overall_accuracy=accuracy,
        kappa=(accuracy - chance) / (1 - chance) if chance < 1 else 0.0,
        mean_iou=_mean(iou, averaged),
        mean_f1=_mean(f1, averaged),
        iou=iou,
        f1=f1,
        precision=_ratio(right, in_prediction),
        recall=_ratio(right, in_reference),
        present=present,
    )


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide, with 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _mean(values: FloatArray, averaged: NDArray[np.bool_]) -> float:
    """Mean over some classes, 0 when there are none."""
    return float(values[averaged].mean()) if averaged.any() else 0.0
