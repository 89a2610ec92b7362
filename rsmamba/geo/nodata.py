"""Valid masks from pixel values: nodata numbers and NaN.

Axes: pixels are ``(C, h, w)``, masks ``(h, w)`` with True where a pixel may be used.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


def valid_from_values(values: NDArray[np.generic], nodata: Sequence[float | None]) -> BoolArray:
    """Return where pixels are neither nodata nor NaN.

    A number that a sensor can measure (zero, or any value of an unsigned type: 255 is a saturated
    pixel of an 8-bit image) marks a pixel as absent only where every band holds it. A number that
    none can measure (-9999, the smallest float, NaN) does so in any band, as do NaN and infinity.

    Args:
        values: Pixels ``(C, h, w)`` of any real type.
        nodata: The nodata number of each band; None for a band without one.

    Returns:
        Valid mask ``(h, w)``.

    Example:
        >>> pixels = np.array([[[0, 0, 7]], [[0, 5, 7]]], dtype=np.uint8)
        >>> valid_from_values(pixels, [0, 0])
        array([[False,  True,  True]])
    """
    valid = np.ones(values.shape[1:], dtype=np.bool_)
    if values.dtype.kind == "f":
        for band in values:
            valid &= np.isfinite(band)
    if nodata and all(number is not None and _is_measurable(number, values) for number in nodata):
        valid &= ~_absent_in_all(values, nodata)
    for band, number in zip(values, nodata, strict=True):
        if number is not None and not _is_measurable(number, values):
            valid &= ~_equals(band, number)
    return valid


def blank_invalid(values: NDArray[np.generic], valid: BoolArray) -> None:
    """Set invalid pixels to zero in place, so that no NaN goes on.

    Args:
        values: Pixels ``(C, h, w)``.
        valid: Valid mask ``(h, w)``.
    """
    if not valid.all():
        np.copyto(values, 0, where=~valid)


def _is_measurable(number: float, values: NDArray[np.generic]) -> bool:
    return number == 0 or values.dtype.kind in "ub"


def _absent_in_all(values: NDArray[np.generic], nodata: Sequence[float | None]) -> BoolArray:
    absent = np.ones(values.shape[1:], dtype=np.bool_)
    for band, number in zip(values, nodata, strict=True):
        if number is not None:
            absent &= _equals(band, number)
        if not absent.any():
            break
    return absent


# Compares in the pixels' own type: the tag is stored as a double, the pixels perhaps as a float32.
def _equals(band: NDArray[Any], number: float) -> BoolArray:
    if band.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.equal(band, band.dtype.type(number))
    limits = np.iinfo(band.dtype)
    is_whole = math.isfinite(number) and number == int(number)
    if not is_whole or not limits.min <= number <= limits.max:
        return np.zeros(band.shape, dtype=np.bool_)
    return np.equal(band, band.dtype.type(int(number)))
