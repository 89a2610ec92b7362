"""Stretch: pixel values of one data type brought to the range that a model was trained on."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rsmamba.errors import OptionError
from rsmamba.geo.scene import Scene
from rsmamba.geo.statistics import scene_statistics
from rsmamba.geo.window import Window
from rsmamba.models.model_header import ModelFacts

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A linear map of pixel values, clipped to the range of the model's type.

    Attributes:
        lows: Value of each band that becomes the smallest number.
        highs: Value of each band that becomes the largest number, above the low one.
        smallest: Smallest number of the model's type.
        largest: Largest number of the model's type.
    """

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    smallest: float
    largest: float

    def apply(self, values: FloatArray) -> None:
        """Map pixel values in place.

        Args:
            values: Pixels (C, h, w).
        """
        lows, highs = (np.array(ends)[:, None, None] for ends in (self.lows, self.highs))
        # A range too small for float32 gives NaN, of which the engine tells the scene and the tile.
        with np.errstate(over="ignore", invalid="ignore"):
            values -= lows.astype(np.float32)
            values *= ((self.largest - self.smallest) / (highs - lows)).astype(np.float32)
            values += np.float32(self.smallest)
        np.clip(values, self.smallest, self.largest, out=values)

    def describe(self) -> str:
        """Return the map in words.

        Returns:
            Such as ``"210..3120, 180..2950 to 0..255"``.
        """
        pairs = zip(self.lows, self.highs, strict=True)
        ranges = ", ".join(f"{low:.6g}..{high:.6g}" for low, high in pairs)
        return f"{ranges} to {self.smallest:g}..{self.largest:g}"


def find_stretch(scene: Scene, model: ModelFacts, *, stretch: str, part: Window) -> Stretch | None:
    """Decide how the values of a scene reach a model.

    Args:
        scene: The scene.
        model: The model; one without an input type takes any values as they are.
        stretch: "auto" maps the 2 to 98 % range of each band where the types differ, "none" lets
            values through, "LOW,HIGH" maps that range.
        part: Window of the scene that is predicted.

    Returns:
        The map, or None if values go through unchanged.

    Raises:
        OptionError: If the option has another form, or a range is given for a model without type.
    """
    given = _parse(stretch)
    if given is not None and model.input_dtype is None:
        message = (
            f"stretch {stretch} needs a model with an input type and {model.name!r} takes values "
            "as they are; leave it out"
        )
        raise OptionError(message)
    if model.input_dtype is None or stretch == "none":
        return None
    if given is None and model.input_dtype == scene.dtype:
        return None
    limits = np.iinfo(model.input_dtype)
    lows, highs = sampled_range(scene, part) if given is None else _same_for_all(given, scene)
    result = Stretch(lows=lows, highs=highs, smallest=int(limits.min), largest=int(limits.max))
    log.warning(
        "%s holds %s and model %s was trained on %s: values are stretched, %s",
        scene.name,
        scene.dtype,
        model.name,
        model.input_dtype,
        result.describe(),
    )
    return result


def sampled_range(scene: Scene, part: Window) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the 2 % and 98 % values of each band over a sample of valid pixels.

    Args:
        scene: The scene.
        part: Window of the scene that is sampled.

    Returns:
        Low values and high values, one a band; each high above its low.
    """
    statistics = scene_statistics(scene, window=part)
    if statistics.suspected_nodata is not None:
        number = f"{statistics.suspected_nodata:g}"
        log.warning("%s may mean nodata in %s; give it as src_nodata if so", number, scene.name)
    if not statistics.bands:
        log.warning("no valid pixel in a sample of %s: the range of its type is used", scene.name)
        return _same_for_all(_range_of_type(np.dtype(scene.dtype)), scene)
    lows = tuple(band.p2 for band in statistics.bands)
    highs = tuple(_above(band.p98, low=band.p2) for band in statistics.bands)
    return lows, highs


def _same_for_all(
    ends: tuple[float, float], scene: Scene
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    low, high = ends
    return (low,) * scene.num_bands, (high,) * scene.num_bands


def _above(high: float, *, low: float) -> float:
    """Return the high end, moved up a little if a constant band has both ends in one place."""
    return high if high > low else low + max(1.0, abs(low) * 1e-6)


def _range_of_type(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def _parse(stretch: str) -> tuple[float, float] | None:
    if stretch in ("auto", "none"):
        return None
    try:
        low, high = (float(part) for part in stretch.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not low < high:
        message = f"stretch {stretch!r} is not known; give auto, none or LOW,HIGH such as 0,3000"
        raise OptionError(message)
    return low, high
