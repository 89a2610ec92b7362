"""Kinds of output rasters: class maps, probabilities and confidence.

Axes: pixels are ``(C, h, w)``, masks ``(h, w)`` with True where a pixel may be used.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError
from rsmamba.geo.nodata import BoolArray
from rsmamba.geo.pyramid import Halve, halve_mean_float, halve_mean_uint8, halve_mode

ScoreType = Literal["uint8", "float32"]
NODATA = 255
# Scores 0 to 1 are stored as 0 to 254; 255 is nodata.
SCORE_STEPS = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterKind:
    """What an output raster holds.

    Attributes:
        dtype: NumPy name of its type.
        nodata: Number of pixels without data.
        descriptions: Description of each band.
        halve: How overviews are made.
        scale: What stored numbers are multiplied with to get the value.
        classes: Classes of a class map; None for scores.
    """

    dtype: ScoreType
    nodata: float
    descriptions: tuple[str, ...]
    halve: Halve
    scale: float = 1.0
    classes: ClassScheme | None = None

    @property
    def num_bands(self) -> int:
        """Number of bands."""
        return len(self.descriptions)

    @property
    def is_float(self) -> bool:
        """True if pixels are floating-point numbers."""
        return self.dtype == "float32"


def class_map(classes: ClassScheme) -> RasterKind:
    """Return the kind of a class map.

    Args:
        classes: Its classes; 255 is nodata.

    Returns:
        The kind.

    Raises:
        OptionError: If 255 is one of the class indices.
    """
    if classes.num_classes > NODATA:
        message = f"{classes.num_classes} classes do not fit a class map; give at most {NODATA}"
        raise OptionError(message)
    return RasterKind(
        dtype="uint8", nodata=NODATA, descriptions=("class",), halve=halve_mode, classes=classes
    )


def probabilities(classes: ClassScheme, *, dtype: str = "uint8") -> RasterKind:
    """Return the kind of a raster with the score of each class.

    Args:
        classes: One band is written for each.
        dtype: uint8 (0 to 254 stand for 0 to 1, 255 is nodata) or float32 (NaN is nodata).

    Returns:
        The kind.

    Raises:
        OptionError: If the type is another.
    """
    return _scores(classes.names, dtype=dtype)


def confidence(*, dtype: str = "uint8") -> RasterKind:
    """Return the kind of a raster with the score of the chosen class.

    Args:
        dtype: uint8 (0 to 254 stand for 0 to 1, 255 is nodata) or float32 (NaN is nodata).

    Returns:
        The kind.

    Raises:
        OptionError: If the type is another.
    """
    return _scores(("confidence",), dtype=dtype)


def encode_scores(
    scores: NDArray[np.float32], valid: BoolArray, *, dtype: str = "uint8"
) -> NDArray[Any]:
    """Turn scores into what a raster stores.

    Args:
        scores: Scores 0 to 1 ``(C, h, w)``.
        valid: Valid mask ``(h, w)``.
        dtype: uint8 or float32.

    Returns:
        Numbers to store ``(C, h, w)``, nodata where not valid.

    Example:
        >>> scores = np.array([[[0.0, 0.5, 1.0, 0.3]]], dtype=np.float32)
        >>> encode_scores(scores, np.array([[True, True, True, False]])).tolist()
        [[[0, 127, 254, 255]]]
    """
    if dtype == "float32":
        return np.where(valid, scores, np.float32(np.nan))
    steps = np.multiply(scores, np.float32(SCORE_STEPS))
    np.rint(steps, out=steps)
    np.clip(steps, 0, SCORE_STEPS, out=steps)
    # Scores of invalid pixels may be anything, and NaN has no uint8.
    np.copyto(steps, NODATA, where=~valid)
    return steps.astype(np.uint8)


def _scores(descriptions: tuple[str, ...], *, dtype: str) -> RasterKind:
    if dtype == "uint8":
        return RasterKind(
            dtype="uint8",
            nodata=NODATA,
            descriptions=descriptions,
            halve=halve_mean_uint8,
            scale=1 / SCORE_STEPS,
        )
    if dtype == "float32":
        return RasterKind(
            dtype="float32", nodata=np.nan, descriptions=descriptions, halve=halve_mean_float
        )
    message = f"scores cannot be stored as {dtype}; give uint8 or float32"
    raise OptionError(message)
