"""Affine transforms from pixels to the map.

Written out rather than multiplied, since the operator for it differs between releases of affine.
"""

from typing import TypeVar

import numpy as np
from affine import Affine
from numpy.typing import NDArray

# One place, or arrays of places of one shape.
Places = TypeVar("Places", float, NDArray[np.float64])


def to_map(transform: Affine, *, row: Places, col: Places) -> tuple[Places, Places]:
    """Return the map coordinates of a place in a raster, or of several.

    Args:
        transform: Affine map from (col, row) to map coordinates.
        row: Rows from the top edge, pixels.
        col: Columns from the left edge, pixels.

    Returns:
        Easting and northing, or longitude and latitude, in CRS units.

    Example:
        >>> to_map(Affine(2, 0, 100, 0, -2, 500), row=1, col=3)
        (106.0, 498.0)
    """
    easting = transform.a * col + transform.b * row + transform.c
    northing = transform.d * col + transform.e * row + transform.f
    return easting, northing


def shifted(transform: Affine, *, rows: float, cols: float) -> Affine:
    """Return the transform of a part of a raster.

    Args:
        transform: Affine map from (col, row) to map coordinates.
        rows: First row of the part.
        cols: First column of the part.

    Returns:
        The same map, counted from there.
    """
    easting, northing = to_map(transform, row=rows, col=cols)
    return Affine(transform.a, transform.b, easting, transform.d, transform.e, northing)
