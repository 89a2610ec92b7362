"""GeoGrid: where the pixels of a raster lie on the ground.

A grid has a size and one of: an affine transform with a coordinate reference system (CRS), ground
control points (GCPs), rational polynomial coefficients (RPCs), or nothing. What a scene has is what
its map gets: rotated and south-up transforms, GCPs and RPCs are kept, never resampled away.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.warp import transform_bounds

from rsmamba.errors import OptionError
from rsmamba.geo.crs import crs_text
from rsmamba.geo.gsd import ground_sample_distance_m
from rsmamba.geo.transform import shifted, to_map
from rsmamba.geo.window import Window

# Two transforms are one if no corner of the grid moves by more than this part of a pixel.
_SAME_PIXEL_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class MapBounds:
    """A box in map coordinates.

    Attributes:
        left: Smallest easting or longitude, CRS units.
        bottom: Smallest northing or latitude, CRS units.
        right: Largest easting or longitude, CRS units.
        top: Largest northing or latitude, CRS units.
    """

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeoGrid:
    """Size and georeference of a raster.

    Attributes:
        height: Number of rows, pixels.
        width: Number of columns, pixels.
        crs: CRS of the transform; None if unknown or if only the GCPs have one.
        transform: Affine map from (col, row) to map coordinates; the identity if there is none.
        gcps: Ground control points, empty if there are none.
        gcps_crs: CRS of the ground control points.
        rpcs: Rational polynomial coefficients, None if there are none.
    """

    height: int
    width: int
    crs: CRS | None = None
    transform: Affine = field(default_factory=Affine.identity)
    gcps: tuple[GroundControlPoint, ...] = ()
    gcps_crs: CRS | None = None
    rpcs: RPC | None = None

    def __post_init__(self) -> None:
        """Check the sides.

        Raises:
            OptionError: If a side is below one pixel.
        """
        if self.height < 1 or self.width < 1:
            message = f"a grid cannot be {self.width} x {self.height} px; give sides of 1 or more"
            raise OptionError(message)

    @classmethod
    def from_dataset(cls, dataset: DatasetReader) -> Self:
        """Read the grid of an open rasterio dataset.

        Args:
            dataset: The dataset.

        Returns:
            Its grid. Where GCPs stand in for a transform, the CRS is theirs alone.
        """
        gcps, gcps_crs = dataset.gcps
        only_gcps = bool(gcps) and dataset.transform.is_identity
        return cls(
            height=dataset.height,
            width=dataset.width,
            crs=None if only_gcps else _known(dataset.crs),
            transform=dataset.transform,
            gcps=tuple(gcps) if only_gcps else (),
            gcps_crs=_known(gcps_crs or dataset.crs) if only_gcps else None,
            rpcs=dataset.rpcs,
        )

    @property
    def window(self) -> Window:
        """The window that covers the whole grid."""
        return Window(row=0, col=0, height=self.height, width=self.width)

    @property
    def is_georeferenced(self) -> bool:
        """True if the grid has a CRS, a transform, GCPs or RPCs."""
        return bool(
            self.crs or self.gcps or self.rpcs is not None or not self.transform.is_identity
        )

    @property
    def bounds(self) -> MapBounds:
        """The box around all four corners, CRS units (pixels if there is no transform)."""
        corners = [to_map(self.transform, row=row, col=col) for col, row in self._corners()]
        eastings, northings = zip(*corners, strict=True)
        return MapBounds(
            left=min(eastings), bottom=min(northings), right=max(eastings), top=max(northings)
        )

    @property
    def gsd_m(self) -> float | None:
        """Ground sample distance at the centre of the scene, in metres.

        None without a CRS, and for grids that have only GCPs or RPCs.
        """
        if self.crs is None or self.transform.is_identity:
            return None
        return ground_sample_distance_m(
            self.crs, self.transform, centre_row=self.height / 2, centre_col=self.width / 2
        )

    def same_as(self, other: "GeoGrid") -> bool:
        """Say whether two grids put every pixel in the same place.

        Args:
            other: The other grid.

        Returns:
            True if sizes, CRS, GCPs and RPCs are equal and no corner differs by more than a
            hundredth of a pixel.

        Example:
            >>> GeoGrid(height=2, width=3).same_as(GeoGrid(height=3, width=2))
            False
        """
        return (
            (self.height, self.width) == (other.height, other.width)
            and self.crs == other.crs
            and self.gcps_crs == other.gcps_crs
            and _same_gcps(self.gcps, other.gcps)
            and _same_rpcs(self.rpcs, other.rpcs)
            and self._same_transform(other)
        )

    def for_window(self, window: Window) -> "GeoGrid":
        """Return the grid of a part of the raster.

        Args:
            window: The part, in pixels of this grid.

        Returns:
            A grid of the window's size, with transform, GCPs and RPCs moved to its first pixel.
        """
        return replace(
            self,
            height=window.height,
            width=window.width,
            transform=self._shifted_transform(window),
            gcps=tuple(_shifted_gcp(point, window) for point in self.gcps),
            rpcs=_shifted_rpcs(self.rpcs, window),
        )

    def window_of(self, bounds: MapBounds, *, crs: CRS | None = None) -> Window:
        """Return the smallest window of whole pixels that covers a box, cut to the grid.

        Args:
            bounds: The box.
            crs: CRS of the box; None if it is the grid's own.

        Returns:
            The window.

        Raises:
            OptionError: If the grid has no transform, or the box does not touch it.
        """
        if self.transform.is_identity:
            message = "bounds need a scene with a transform and this one has none; give a window"
            raise OptionError(message)
        box = bounds if crs is None or self.crs is None else _reprojected(bounds, crs, self.crs)
        window = self._covering(box).intersection(self.window)
        if window is None:
            message = f"the bounds {_box_text(box)} do not touch the scene {_box_text(self.bounds)}"
            raise OptionError(message)
        return window

    def describe(self) -> str:
        """Return size, CRS and GSD in a few words.

        Returns:
            Such as ``8000 x 6000 px, EPSG:32633, 0.5 m``.

        Example:
            >>> GeoGrid(height=2, width=3).describe()
            '3 x 2 px, not georeferenced'
        """
        parts = [f"{self.width} x {self.height} px", self._georeference_text()]
        gsd_m = self.gsd_m
        if gsd_m is not None:
            parts.append(f"{gsd_m:.4g} m" if gsd_m < 1000 else f"{gsd_m / 1000:.4g} km")
        return ", ".join(parts)

    def _georeference_text(self) -> str:
        if self.gcps:
            return f"{len(self.gcps)} ground control points ({crs_text(self.gcps_crs)})"
        if self.crs is None and self.rpcs is not None:
            return "rational polynomial coefficients"
        if not self.is_georeferenced:
            return "not georeferenced"
        return crs_text(self.crs)

    def _corners(self) -> list[tuple[int, int]]:
        return [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]

    def _same_transform(self, other: "GeoGrid") -> bool:
        pixel = math.sqrt(abs(self.transform.determinant)) or 1.0
        for col, row in self._corners():
            easting, northing = to_map(self.transform, row=row, col=col)
            other_easting, other_northing = to_map(other.transform, row=row, col=col)
            moved = math.hypot(easting - other_easting, northing - other_northing)
            if moved > _SAME_PIXEL_SHARE * pixel:
                return False
        return True

    def _shifted_transform(self, window: Window) -> Affine:
        # An identity means "no transform"; moving it would turn pixel counts into map coordinates.
        if self.transform.is_identity:
            return self.transform
        return shifted(self.transform, rows=window.row, cols=window.col)

    def _covering(self, box: MapBounds) -> Window:
        to_pixels = ~self.transform
        corners = [
            to_map(to_pixels, col=easting, row=northing)
            for easting in (box.left, box.right)
            for northing in (box.bottom, box.top)
        ]
        cols, rows = zip(*corners, strict=True)
        # A millionth of a pixel of rounding must not add a row or a column.
        row, col = math.floor(min(rows) + 1e-6), math.floor(min(cols) + 1e-6)
        row_stop, col_stop = math.ceil(max(rows) - 1e-6), math.ceil(max(cols) - 1e-6)
        return Window(row=row, col=col, height=max(row_stop - row, 0), width=max(col_stop - col, 0))


# Some drivers report an empty CRS where there is none.
def _known(crs: CRS | None) -> CRS | None:
    return crs or None


def _box_text(box: MapBounds) -> str:
    return f"({box.left:.7g}, {box.bottom:.7g}, {box.right:.7g}, {box.top:.7g})"


def _reprojected(bounds: MapBounds, source: CRS, target: CRS) -> MapBounds:
    left, bottom, right, top = transform_bounds(
        source, target, bounds.left, bounds.bottom, bounds.right, bounds.top
    )
    return MapBounds(left=left, bottom=bottom, right=right, top=top)


def _same_gcps(
    first: tuple[GroundControlPoint, ...], second: tuple[GroundControlPoint, ...]
) -> bool:
    if len(first) != len(second):
        return False
    return all(
        math.isclose(getattr(one, axis) or 0.0, getattr(two, axis) or 0.0, abs_tol=1e-9)
        for one, two in zip(first, second, strict=True)
        for axis in ("row", "col", "x", "y", "z")
    )


# Files store the coefficients as text of fifteen digits, and an unknown error estimate as -1.
def _same_rpcs(first: RPC | None, second: RPC | None) -> bool:
    if first is None or second is None:
        return first is second
    ours, theirs = first.to_dict(), second.to_dict()
    return all(
        np.allclose(_numbers(ours[name]), _numbers(theirs[name]), rtol=1e-9, atol=1e-12)
        for name in ours
        if name not in {"err_bias", "err_rand"}
    )


def _numbers(value: float | list[float]) -> list[float]:
    return value if isinstance(value, list) else [value]


def _shifted_gcp(point: GroundControlPoint, window: Window) -> GroundControlPoint:
    return GroundControlPoint(
        row=point.row - window.row,
        col=point.col - window.col,
        x=point.x,
        y=point.y,
        z=point.z,
        id=point.id,
        info=point.info,
    )


def _shifted_rpcs(rpcs: RPC | None, window: Window) -> RPC | None:
    if rpcs is None:
        return None
    values = rpcs.to_dict()
    values["line_off"] -= window.row
    values["samp_off"] -= window.col
    return RPC(**values)
