"""Calibration: whether a confidence of 0.8 is right in 8 pixels of 10."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import DataError, OptionError, ShapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A reliability diagram and its errors.

    Attributes:
        edges: Edges of the bins of confidence, shape (num_bins + 1,); the last bin holds 1.
        pixels: Pixels in each bin, shape (num_bins,).
        confidence: Mean confidence in each bin, 0 where it is empty, shape (num_bins,).
        accuracy: Share of right pixels in each bin, 0 where it is empty, shape (num_bins,).
        expected_error: Expected calibration error, mean distance of accuracy and confidence
            weighted by pixels (Naeini et al. 2015; Guo et al. 2017, eq. 3).
        largest_error: Largest distance in any bin.
    """

    edges: NDArray[np.float64]
    pixels: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    expected_error: float
    largest_error: float


class CalibrationCounter:
    """Count pixels, confidence and right pixels by bin of confidence.

    Args:
        num_bins: Bins of equal width between 0 and 1.

    Raises:
        OptionError: If `num_bins` is outside 1 to 1000.

    Example:
        >>> counter = CalibrationCounter(2)
        >>> counter.add(np.array([0.9, 0.7, 0.2]), np.array([True, False, False]))
        >>> round(counter.result().expected_error, 3)
        0.267
    """

    def __init__(self, num_bins: int = 15) -> None:
        if not 1 <= num_bins <= 1000:
            message = f"{num_bins} bins of confidence are not possible; give 1 to 1000"
            raise OptionError(message)
        self.edges = np.linspace(0.0, 1.0, num_bins + 1)
        self.pixels = np.zeros(num_bins, np.int64)
        self._confidence = np.zeros(num_bins, np.float64)
        self._right = np.zeros(num_bins, np.int64)

    def add(self, confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> None:
        """Count pixels.

        Args:
            confidence: Confidence in the class of the map, 0 to 1, any shape.
            right: Whether that class is the reference's, same shape.

        Raises:
            ShapeError: If the shapes differ.
            DataError: If a confidence is NaN or outside 0 to 1.
        """
        if confidence.shape != right.shape:
            message = (
                f"confidence has shape {confidence.shape} and right pixels {right.shape}; "
                "give the same pixels"
            )
            raise ShapeError(message)
        values = confidence.ravel().astype(np.float64)
        wrong = values[~((values >= 0) & (values <= 1))]
        if wrong.size:
            message = f"a confidence is {wrong[0]:g} ({wrong.size} pixels); give 0 to 1"
            raise DataError(message)
        num_bins = len(self.pixels)
        bins = np.minimum(np.searchsorted(self.edges, values, side="right") - 1, num_bins - 1)
        self.pixels += np.bincount(bins, minlength=num_bins)
        self._confidence += np.bincount(bins, weights=values, minlength=num_bins)
        self._right += np.bincount(bins[right.ravel()], minlength=num_bins)

    def result(self) -> Calibration:
        """Return the diagram and the errors; all zero if nothing was counted.

        Returns:
            The calibration.
        """
        pixels = np.maximum(self.pixels, 1)
        confidence, accuracy = self._confidence / pixels, self._right / pixels
        distance = np.abs(accuracy - confidence)
        total = max(int(self.pixels.sum()), 1)
        return Calibration(
            edges=self.edges.copy(),
            pixels=self.pixels.copy(),
            confidence=confidence,
            accuracy=accuracy,
            expected_error=float((distance * self.pixels).sum() / total),
            largest_error=float(distance.max()),
        )
