"""The confusion matrix: every counted pixel once, reference class by predicted class."""

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import DataError, OptionError, ShapeError


class ConfusionMatrix:
    """Count pixels by reference class (row) and predicted class (column).

    Args:
        num_classes: Number of classes, 1 to 255.

    Raises:
        OptionError: If `num_classes` is outside 1 to 255.

    Example:
        >>> matrix = ConfusionMatrix(2)
        >>> matrix.add(np.array([0, 0, 1, 255]), np.array([0, 1, 1, 0]))
        >>> matrix.counts.tolist()
        [[1, 1], [0, 1]]
    """

    def __init__(self, num_classes: int) -> None:
        if not 1 <= num_classes <= 255:
            msg = f"num_classes is {num_classes}; a confusion matrix takes 1 to 255 classes"
            raise OptionError(msg)
        self.num_classes = num_classes
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)

    @property
    def total(self) -> int:
        """Number of counted pixels."""
        return int(self.counts.sum())

    def add(
        self,
        reference: NDArray[np.integer],
        prediction: NDArray[np.integer],
        *,
        ignore_index: int = 255,
    ) -> None:
        """Count the pixels of one map.

        A pixel where the reference or the prediction is `ignore_index` is not counted.

        Args:
            reference: Reference class indices, any shape.
            prediction: Predicted class indices, same shape.
            ignore_index: Label value of pixels to leave out.

        Raises:
            ShapeError: If the two shapes differ.
            DataError: If a counted pixel holds a value outside 0 to num_classes - 1.
        """
        if reference.shape != prediction.shape:
            msg = (
                f"reference has shape {reference.shape} and prediction {prediction.shape}; "
                "give two maps of the same pixels"
            )
            raise ShapeError(msg)
        counted = (reference != ignore_index) & (prediction != ignore_index)
        rows = reference[counted].astype(np.int64)
        columns = prediction[counted].astype(np.int64)
        self._check_range(rows, "reference")
        self._check_range(columns, "prediction")
        pairs = np.bincount(rows * self.num_classes + columns, minlength=self.num_classes**2)
        self.counts += pairs.reshape(self.num_classes, self.num_classes)

    def merge(self, other: "ConfusionMatrix") -> None:
        """Add the counts of another matrix of the same classes to this one.

        Args:
            other: Matrix with the same number of classes.

        Raises:
            ShapeError: If the numbers of classes differ.
        """
        if other.num_classes != self.num_classes:
            msg = (
                f"cannot merge a matrix of {other.num_classes} classes into one of "
                f"{self.num_classes}; both must count the same classes"
            )
            raise ShapeError(msg)
        self.counts += other.counts

    def _check_range(self, values: NDArray[np.int64], what: str) -> None:
        """Refuse class indices outside the scheme."""
        outside = values[(values < 0) | (values >= self.num_classes)]
        if outside.size:
            msg = (
                f"{what} holds the value {int(outside[0])} ({outside.size} pixels outside the "
                f"classes); allowed are 0 to {self.num_classes - 1} and the ignore index"
            )
            raise DataError(msg)
