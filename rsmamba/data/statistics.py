"""Band statistics over valid pixels."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsmamba.data.labelled import LabelledScene
from rsmamba.errors import DataError
from rsmamba.geo.painted import strips

_STRIP_ROWS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BandStatistics:
    """Mean and standard deviation of each band, in the units of the pixels.

    Attributes:
        mean: One value a band.
        std: One value a band; 1 for a constant band, so that dividing by it is safe.
        constant_bands: Numbers of the bands, from 1, that have one value everywhere.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    constant_bands: tuple[int, ...] = ()


def band_statistics(scenes: Iterable[LabelledScene]) -> BandStatistics:
    """Compute mean and standard deviation of each band over all valid pixels.

    Args:
        scenes: Scenes with the same number of bands.

    Returns:
        The statistics.

    Raises:
        DataError: If there is no valid pixel.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for values in _valid_strips(scenes):  # (C, pixels)
        more = values.shape[1]
        strip_mean = values.mean(axis=1)
        delta = strip_mean - mean
        # Chan's update stays exact where summing squares would cancel (16-bit data).
        squares = squares + values.var(axis=1) * more + delta**2 * count * more / (count + more)
        mean = mean + delta * more / (count + more)
        count += more
    if count == 0:
        msg = "the training scenes have no valid pixel; check their nodata value or mask"
        raise DataError(msg)
    std = np.sqrt(squares / count)
    # The mean of many equal fractions may differ from them in the last digit.
    constant = std <= 1e-9 * np.abs(mean)
    std[constant] = 1.0
    return BandStatistics(
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        constant_bands=tuple(int(index) + 1 for index in np.flatnonzero(constant)),
    )


def _valid_strips(scenes: Iterable[LabelledScene]) -> Iterable[NDArray[np.float64]]:
    """Valid pixels of strips of rows, (C, pixels)."""
    for scene in scenes:
        for part in strips(height=scene.height, width=scene.width, rows=_STRIP_ROWS):
            sample = scene.read(row=part.row, col=0, height=part.height, width=scene.width)
            if sample.valid.any():
                yield sample.pixels[:, sample.valid].astype(np.float64)
