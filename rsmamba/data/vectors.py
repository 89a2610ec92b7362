"""Polygons as labels, burnt onto the grid of the image window by window."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize

from rsmamba.errors import DataError, require
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.nodata import BoolArray
from rsmamba.geo.window import Window

_AREAS = frozenset({"Polygon", "MultiPolygon"})
_NOTHING = -1


class PolygonLabels:
    """Class values of polygons; where polygons overlap the later one in the file counts.

    A pixel belongs to the polygon that its middle lies in.

    Args:
        path: GeoPackage, GeoJSON or any other file that GDAL reads as vectors, of one layer.
        grid: Grid of the image; polygons are brought into its CRS.
        attribute: Field that holds class indices, or class names.
        names: Class names.
        background: Value outside all polygons; None for no label.

    Raises:
        DataError: If the file cannot be read, lacks the field, holds no polygon that touches the
            image, or names a class that there is not; or if the image has no place on the ground.
        MissingPackageError: If geopandas is not installed.
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
        self.path = path
        self.grid = grid
        self.background = background
        if grid.crs is None or grid.transform.is_identity:
            msg = (
                f"the image of {path} has no CRS and transform, so that polygons cannot be laid "
                "over it; give label rasters instead"
            )
            raise DataError(msg)
        table = self._read(attribute)
        self._shapes = table.geometry.to_numpy()
        self._values = _class_values(path, table[attribute].tolist(), names)
        self._boxes = table.geometry.bounds.to_numpy(np.float64)  # (n, 4)
        box = grid.bounds
        if not self._touching(left=box.left, bottom=box.bottom, right=box.right, top=box.top).any():
            msg = f"no polygon of {path} touches its image; check the place and CRS of both"
            raise DataError(msg)

    def read(self, window: Window) -> tuple[NDArray[np.int64], BoolArray]:
        """Burn the polygons that touch a window.

        Args:
            window: Part of the image.

        Returns:
            Class values (h, w), and where there is one (h, w).
        """
        part = self.grid.for_window(window)
        box = part.bounds
        near = self._touching(left=box.left, bottom=box.bottom, right=box.right, top=box.top)
        values = np.full((window.height, window.width), _NOTHING, np.int32)
        if self.background is not None:
            values[:] = self.background
        if near.any() and values.size:
            pairs = zip(self._shapes[near], self._values[near].tolist(), strict=True)
            rasterize(pairs, out=values, transform=part.transform)
        return values.astype(np.int64), values != _NOTHING

    def _touching(self, *, left: float, bottom: float, right: float, top: float) -> BoolArray:
        """Which polygons have a box that touches this one (n,)."""
        lefts, bottoms, rights, tops = self._boxes.T
        near: BoolArray = (lefts <= right) & (rights >= left) & (bottoms <= top) & (tops >= bottom)
        return near

    def _read(self, attribute: str) -> Any:  # noqa: ANN401 - geopandas has no types
        """Polygons in the CRS of the image, with a class each."""
        geopandas = require("geopandas", extra="vector")
        if not self.path.is_file():
            msg = f"the labels {self.path} do not exist; check the path"
            raise DataError(msg)
        try:
            table = geopandas.read_file(self.path)
        except Exception as error:  # several packages read, and each raises its own
            reason = " ".join(str(error).split())[:120]
            msg = f"{self.path} cannot be read as vectors ({reason}); give GeoPackage or GeoJSON"
            raise DataError(msg) from error
        if attribute not in table.columns:
            fields = ", ".join(name for name in table.columns if name != "geometry") or "none"
            msg = (
                f"{self.path} has no field {attribute!r}; it has {fields}; set data.attribute to "
                "the one that holds the class"
            )
            raise DataError(msg)
        if table.crs is None:
            msg = f"{self.path} has no CRS; set it, so that the polygons can be laid over the image"
            raise DataError(msg)
        kinds = set(table.geometry.dropna().geom_type) - _AREAS
        if kinds:
            msg = f"{self.path} holds a {min(kinds)}; labels are polygons: leave the others out"
            raise DataError(msg)
        there = table.geometry.notna() & ~table.geometry.is_empty
        return table[there].to_crs(self.grid.crs.to_wkt() if self.grid.crs else None)


def _class_values(path: Path, given: list[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Class index of each polygon (n,); a field of text holds class names."""
    values = np.zeros(len(given), np.int64)
    for row, value in enumerate(given):
        if isinstance(value, str):
            if value not in names:
                msg = (
                    f"polygon {row + 1} of {path} is of the class {value!r}; the classes are "
                    f"{', '.join(names)}; add it to data.classes or correct the file"
                )
                raise DataError(msg)
            values[row] = names.index(value)
        elif value is None or value != value or int(value) != value:  # noqa: PLR0124 - NaN
            msg = (
                f"polygon {row + 1} of {path} has the class {value!r}; give whole numbers or class "
                "names in data.attribute"
            )
            raise DataError(msg)
        else:
            values[row] = int(value)
    return values
