"""Stretch: pixel values of one data type brought to the range that a model was trained on."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rsmamba.errors import OptionError
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window
from rsmamba.models.scene_model import SceneModel

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]
_PERCENTILES = (2.0, 98.0)
# Up to so many pixels are read whole; of more, a raster of small windows is read.
_WHOLE_PIXELS = 2**21
_WINDOWS_A_SIDE = 8
_WINDOW_SIDE = 128


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


def find_stretch(scene: Scene, model: SceneModel, *, stretch: str, part: Window) -> Stretch | None:
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
    lows, highs = ((given[0],), (given[1],)) if given else sampled_range(scene, part)
    if given:
        lows, highs = lows * scene.num_bands, highs * scene.num_bands
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
        part: Window of the scene that is sampled; about a million pixels of it are read.

    Returns:
        Low values and high values, one a band; each high above its low.
    """
    samples = [_valid_values(scene, window) for window in _sample_windows(part)]
    values = np.concatenate(samples, axis=1)
    if values.shape[1] == 0:
        log.warning("no valid pixel in a sample of %s: its values are not stretched", scene.name)
        return _type_range(scene)
    low, high = np.percentile(values.astype(np.float64), _PERCENTILES, axis=1)
    high = np.where(high > low, high, low + 1)
    return tuple(low.tolist()), tuple(high.tolist())


def _valid_values(scene: Scene, window: Window) -> npt.NDArray[Any]:
    pixels = scene.read(window)
    return pixels.values[:, pixels.valid]


def _sample_windows(part: Window) -> Iterator[Window]:
    if part.num_pixels <= _WHOLE_PIXELS:
        yield part
        return
    height, width = min(_WINDOW_SIDE, part.height), min(_WINDOW_SIDE, part.width)
    steps = np.linspace(0, 1, _WINDOWS_A_SIDE)
    for down in np.unique((steps * (part.height - height)).astype(int)):
        for across in np.unique((steps * (part.width - width)).astype(int)):
            yield Window(
                row=part.row + int(down), col=part.col + int(across), height=height, width=width
            )


def _type_range(scene: Scene) -> tuple[tuple[float, ...], tuple[float, ...]]:
    dtype = np.dtype(scene.dtype)
    low, high = (0.0, 1.0) if dtype.kind == "f" else _integer_range(dtype)
    return (low,) * scene.num_bands, (high,) * scene.num_bands


def _integer_range(dtype: np.dtype[Any]) -> tuple[float, float]:
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
