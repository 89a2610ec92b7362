"""Polygons as labels, burnt onto the grid of the image window by window."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import DataError
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.nodata import BoolArray
from rsmamba.geo.vectors import BurntLabels
from rsmamba.geo.window import Window

_NO_LABEL = 255


class PolygonLabels:
    """Class values of features; where several overlap the later one in the file counts.

    Args:
        path: GeoPackage, GeoJSON or any other file that GDAL reads as vectors, of one layer.
        grid: Grid of the image; features are brought into its CRS.
        attribute: Field that holds class indices, or class names.
        names: Class names.
        background: Value outside all features; None for no label.

    Raises:
        DataError: If the file lacks the field, holds no feature that touches the image, or names a
            class that there is not; or if the image has no place on the ground.
        SceneError: If the file cannot be read.
        MissingPackageError: If geopandas is needed and not installed.
    """

    def __init__(
        self,
        path: Path,
        grid: GeoGrid,
        *,
        attribute: str,
        names: tuple[str, ...],
        background: int | None = None,
    ) -> None:
        if grid.crs is None:
            msg = (
                f"the image of {path} has no CRS, so that vectors cannot be laid over it; set its "
                "CRS and transform, or give label rasters"
            )
            raise DataError(msg)
        self.background = background
        self._burnt = BurntLabels.open(
            path,
            field=attribute,
            index_of=lambda value: class_value(value, names),
            grid=grid,
            ignore_index=_NO_LABEL,
        )

    def read(self, window: Window) -> tuple[NDArray[np.int64], BoolArray]:
        """Burn the features that touch a window.

        Args:
            window: Part of the image.

        Returns:
            Class values (h, w), and where there is one (h, w).
        """
        values = self._burnt.read(window).astype(np.int64)
        labelled = values != _NO_LABEL
        if self.background is not None:
            values[~labelled] = self.background
            labelled[:] = True
        return values, labelled


def class_value(value: object, names: tuple[str, ...]) -> int | None:
    """Read the class field of a feature.

    Args:
        value: A class name, or a whole number from 0 to 254.
        names: Class names.

    Returns:
        The class index, or the number as it is; None if it is neither.

    Example:
        >>> class_value("road", ("field", "road")), class_value(3.0, ()), class_value("sea", ())
        (1, 3, None)
    """
    if isinstance(value, str):
        return names.index(value) if value in names else None
    if isinstance(value, int | float | np.integer | np.floating) and 0 <= value < _NO_LABEL:
        return int(value) if float(value).is_integer() else None
    return None
