"""Palette images: one band of indices and a colour table."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from rsmamba.geo.nodata import BoolArray


def read_palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """Return the colour table of a palette image: one band, and perhaps alpha as warping adds.

    Args:
        dataset: An open dataset.

    Returns:
        Red, green, blue and alpha of every index ``(n, 4)``; None if it is not such an image.
    """
    first, *others = dataset.colorinterp
    if first is not ColorInterp.palette or set(others) - {ColorInterp.alpha}:
        return None
    table = dataset.colormap(1)
    # Indices outside the table stay transparent.
    colours = np.zeros((int(np.iinfo(dataset.dtypes[0]).max) + 1, 4), dtype=np.uint8)
    for index, colour in table.items():
        colours[index] = colour
    return colours


def expand_palette(
    indices: NDArray[Any], palette: NDArray[np.uint8], *, num_bands: int
) -> tuple[NDArray[np.uint8], BoolArray]:
    """Turn palette indices into colours.

    Args:
        indices: Palette indices ``(h, w)``.
        palette: Red, green, blue and alpha of every index ``(n, 4)``.
        num_bands: 3 for red, green, blue; 4 for alpha as well.

    Returns:
        Colours ``(num_bands, h, w)``, and where they are not fully transparent ``(h, w)``.

    Example:
        >>> palette = np.array([[0, 0, 0, 0], [9, 8, 7, 255]], dtype=np.uint8)
        >>> colours, valid = expand_palette(np.array([[0, 1]]), palette, num_bands=3)
        >>> colours[:, 0, 1].tolist(), valid.tolist()
        ([9, 8, 7], [[False, True]])
    """
    colours = palette.T[:num_bands].take(indices, axis=1)  # (num_bands, h, w)
    return colours, palette[:, 3].take(indices) > 0
