"""Overviews: halving rasters, block by block.

GDAL can do this too, at three times the cost for class maps, and its ties are settled by an order
that it does not document. Axes: pixels are ``(C, h, w)``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader, DatasetWriter

from rsmamba.geo.window import Window

Halve = Callable[[NDArray[Any]], NDArray[Any]]
# Columns of the finer raster that are in memory at a time.
_PIECE_COLUMNS = 4096


def halve_mode(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the commonest class of each two by two pixels; 255 counts only where nothing else is.

    Ties go to the class met first in reading order among the commonest.

    Args:
        classes: Class indices ``(C, h, w)``; odd sides are completed with 255.

    Returns:
        Class indices ``(C, ceil(h / 2), ceil(w / 2))``.

    Example:
        >>> halve_mode(np.array([[[1, 2, 255], [2, 3, 255]]], dtype=np.uint8)).tolist()
        [[[2, 255]]]
    """
    first, second, third, fourth = _quarters(_even(classes, fill=255))
    # From the weakest claim to the strongest: to be there at all, then to have a twin.
    coarse = fourth
    for pixel in (third, second, first):
        coarse = _where(pixel != 255, pixel, coarse)
    coarse = _where((third != 255) & (third == fourth), third, coarse)
    coarse = _where((second != 255) & ((second == third) | (second == fourth)), second, coarse)
    has_twin = (first == second) | (first == third) | (first == fourth)
    return _where((first != 255) & has_twin, first, coarse)


def halve_mean_uint8(scores: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average each two by two scores; 255 counts only where nothing else is.

    Args:
        scores: Scores 0 to 254 ``(C, h, w)``; odd sides are completed with 255.

    Returns:
        Scores ``(C, ceil(h / 2), ceil(w / 2))``, rounded half up.
    """
    quarters = _quarters(_even(scores, fill=255))
    total = np.zeros(quarters[0].shape, dtype=np.uint16)
    count = np.zeros(quarters[0].shape, dtype=np.uint16)
    for quarter in quarters:
        there = quarter != 255
        total += np.where(there, quarter, 0)
        count += there
    mean = (total + count // 2) // np.maximum(count, 1)
    return np.where(count > 0, mean, 255).astype(np.uint8)


def halve_mean_float(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average each two by two scores; NaN counts only where nothing else is.

    Args:
        scores: Scores ``(C, h, w)``; odd sides are completed with NaN.

    Returns:
        Scores ``(C, ceil(h / 2), ceil(w / 2))``.
    """
    quarters = _quarters(_even(scores, fill=np.nan))
    total = np.zeros(quarters[0].shape, dtype=np.float32)
    count = np.zeros(quarters[0].shape, dtype=np.float32)
    for quarter in quarters:
        there = ~np.isnan(quarter)
        total += np.where(there, quarter, np.float32(0))
        count += there
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))


def build_level(
    finer: Path, coarser: Path, *, halve: Halve, profile: dict[str, Any], rows: int
) -> None:
    """Write the overview of a raster.

    Args:
        finer: The raster to halve.
        coarser: The file to write.
        halve: What becomes of two by two pixels.
        profile: Creation options of the file, without its size.
        rows: Rows of the coarser raster that are made at a time.
    """
    with rasterio.open(finer) as source:
        height, width = (source.height + 1) // 2, (source.width + 1) // 2
        with rasterio.open(coarser, "w", height=height, width=width, **profile) as sink:
            for row in range(0, height, rows):
                _copy_rows(source, sink, halve, row=row, rows=min(rows, height - row))


def _copy_rows(
    source: DatasetReader, sink: DatasetWriter, halve: Halve, *, row: int, rows: int
) -> None:
    for col in range(0, source.width, _PIECE_COLUMNS):
        fine = Window(
            row=2 * row,
            col=col,
            height=min(2 * rows, source.height - 2 * row),
            width=min(_PIECE_COLUMNS, source.width - col),
        )
        coarse = halve(source.read(window=fine.to_rasterio()))
        _, height, width = coarse.shape
        target = Window(row=row, col=col // 2, height=height, width=width)
        sink.write(coarse, window=target.to_rasterio())


def _even(pixels: NDArray[Any], *, fill: float) -> NDArray[Any]:
    _, height, width = pixels.shape
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, 0), (0, height % 2), (0, width % 2)), constant_values=fill)


def _quarters(pixels: NDArray[Any]) -> list[NDArray[Any]]:
    return [np.ascontiguousarray(pixels[:, row::2, col::2]) for row in (0, 1) for col in (0, 1)]


def _where(
    condition: NDArray[np.bool_], chosen: NDArray[np.uint8], other: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Do as ``np.where`` does, which takes ten times as long for single bytes."""
    mask = np.negative(condition.view(np.uint8))
    return other ^ ((chosen ^ other) & mask)
