"""Statistics of a scene of any size in bounded time.

Small scenes are read whole; large ones on a regular grid of windows, always the same ones. Axes:
pixels are ``(C, h, w)``.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

# Numbers of all bands together that are kept in memory, and read exactly if the scene has no more.
_MAX_VALUES = 12 * 10**6
# Pixels of all bands together that may be decoded for a sample; blocks are decoded whole.
_MAX_DECODED = 48 * 10**6
_SAMPLE_SIDE = 128
_MAX_WINDOWS_PER_AXIS = 8
# Numbers that often mean "no data" in files that forget to say so, and the share of the pixels from
# which on that is worth a remark. Zero is a colour too, so it needs more.
_SUSPECTS = {-9999.0: 0.001, -32768.0: 0.001, -32767.0: 0.001, -999.0: 0.001, 0.0: 0.05}


@dataclass(frozen=True, slots=True, kw_only=True)
class BandStatistics:
    """Values of one band over valid pixels, in units of the scene.

    Attributes:
        minimum: Smallest value.
        maximum: Largest value.
        mean: Mean.
        std: Standard deviation.
        p0_5: 0.5th percentile.
        p2: 2nd percentile.
        p98: 98th percentile.
        p99_5: 99.5th percentile.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    p0_5: float
    p2: float
    p98: float
    p99_5: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneStatistics:
    """What a scene's pixels are like.

    Attributes:
        is_exact: True if every pixel was read, False if these are estimates from a sample.
        num_sampled: Number of pixels that were read.
        valid_share: Share of valid pixels, 0 to 1.
        bands: One entry a band; empty if no pixel that was read is valid.
        suspected_nodata: A number that looks like nodata and is not tagged as such, or None.
        suspected_share: Share of the pixels that hold it in every band, 0 to 1.
    """

    is_exact: bool
    num_sampled: int
    valid_share: float
    bands: tuple[BandStatistics, ...]
    suspected_nodata: float | None = None
    suspected_share: float = 0.0


def scene_statistics(scene: Scene, *, window: Window | None = None) -> SceneStatistics:
    """Describe the pixels of a scene, from a sample if it is large.

    Args:
        scene: The open scene.
        window: The part to describe; None for all.

    Returns:
        Statistics of the bands that the scene reads.

    Raises:
        SceneError: If the file is damaged.
    """
    part = window or scene.grid.window
    windows = _sample_windows(scene, part)
    # Chosen pixels of each band; invalid ones are left out, so the arrays are (C, n).
    samples: list[NDArray[Any]] = []
    num_sampled = 0
    for sample_window in windows:
        pixels = scene.read(sample_window)
        num_sampled += sample_window.num_pixels
        samples.append(pixels.values[:, pixels.valid])
    values = np.concatenate(samples, axis=1)
    suspect, share = _suspected_nodata(values) if not _marks_absence(scene) else (None, 0.0)
    return SceneStatistics(
        is_exact=num_sampled == part.num_pixels,
        num_sampled=num_sampled,
        valid_share=values.shape[1] / num_sampled,
        bands=tuple(band_statistics(band) for band in values) if values.size else (),
        suspected_nodata=suspect,
        suspected_share=share,
    )


def band_statistics(values: NDArray[Any]) -> BandStatistics:
    """Describe numbers.

    Args:
        values: At least one number ``(n,)``, none of them NaN.

    Returns:
        Their statistics.

    Example:
        >>> band_statistics(np.arange(101)).p98
        98.0
    """
    low, lower, upper, high = np.percentile(values, (0.5, 2, 98, 99.5))
    return BandStatistics(
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean(dtype=np.float64)),
        std=float(values.std(dtype=np.float64)),
        p0_5=float(low),
        p2=float(lower),
        p98=float(upper),
        p99_5=float(high),
    )


# By whatever means but NaN, which every floating-point scene may hold.
def _marks_absence(scene: Scene) -> bool:
    return any(kind != "NaN" for kind in scene.mask_kinds)


def _sample_windows(scene: Scene, part: Window) -> list[Window]:
    if part.num_pixels * scene.num_bands <= _MAX_VALUES:
        return _strips(part, rows=max(1, min(part.height, 2**21 // part.width)))
    side = _SAMPLE_SIDE
    block_height, block_width = scene.block_shape
    decoded = _touched(side, block_height) * _touched(side, block_width) * scene.num_bands
    affordable = min(_MAX_DECODED // decoded, _MAX_VALUES // (side * side * scene.num_bands))
    per_axis = max(2, min(_MAX_WINDOWS_PER_AXIS, math.isqrt(affordable)))
    rows = _spread(part.row, part.height, side=side, count=per_axis)
    cols = _spread(part.col, part.width, side=side, count=per_axis)
    height, width = min(side, part.height), min(side, part.width)
    return [Window(row=row, col=col, height=height, width=width) for row in rows for col in cols]


def _strips(part: Window, *, rows: int) -> list[Window]:
    return [
        Window(row=row, col=part.col, height=min(rows, part.row_stop - row), width=part.width)
        for row in range(part.row, part.row_stop, rows)
    ]


# Pixels along one axis that are decoded when so many are read at an unlucky place.
def _touched(side: int, block: int) -> int:
    return (math.ceil(side / block) + 1) * block


# Starts in the middle of equal sections, so that a nodata collar gets its due and no more.
def _spread(start: int, length: int, *, side: int, count: int) -> list[int]:
    if length <= side:
        return [start]
    fitting = min(count, length // side)
    section = length / fitting
    return [start + round(section * (i + 0.5) - side / 2) for i in range(fitting)]


def _suspected_nodata(values: NDArray[Any]) -> tuple[float | None, float]:
    num_pixels = values.shape[1]
    for suspect, enough in _SUSPECTS.items():
        share = float((values == suspect).all(axis=0).sum()) / max(num_pixels, 1)
        if share >= enough:
            return suspect, share
    return None, 0.0
