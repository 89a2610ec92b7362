"""Lattice: the pixels of a mosaic, and where the pixels of a map lie among them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform, transform_bounds

from rsmamba.errors import GridMismatchError, OptionError
from rsmamba.geo.crs import crs_text, same_crs
from rsmamba.geo.environment import quiet_gdal
from rsmamba.geo.grid import GeoGrid, MapBounds
from rsmamba.geo.transform import to_map
from rsmamba.geo.window import Window

# Pixels count as the same if no corner of the map is further off than this part of a pixel.
_SAME_PIXEL_SHARE = 0.01
_ROUNDING_SHARE = 1e-6
# A map whose box is so much longer than its sides lies across the edge of the CRS.
_TORN = 10
_NOWHERE = "lies where that has no coordinates"
_TORN_APART = "lies across its edge, such as the antimeridian"
_TURN_DEGREES = 360.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a map lies.

    Attributes:
        window: The pixels that it reaches, counted from the lattice's origin; may be negative.
        resampled: Why its pixels are not those of the lattice; empty if they are.
        turn: Degrees of longitude that are added to its own, 0 or 360.
    """

    window: Window
    resampled: str = ""
    turn: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Pixels without end, north up.

    Attributes:
        crs: CRS; None if it is unknown.
        left: Left edge of column 0, CRS units.
        top: Top edge of row 0, CRS units.
        pixel_width: Width of a pixel, CRS units.
        pixel_height: Height of a pixel, CRS units.
    """

    crs: CRS | None
    left: float
    top: float
    pixel_width: float
    pixel_height: float

    @classmethod
    def choose(
        cls, first: GeoGrid, *, crs: CRS | None = None, resolution: float | None = None
    ) -> "Lattice":
        """Choose the pixels of a mosaic: those of its first map, unless something else is asked.

        Args:
            first: Grid of the first map, which has a transform.
            crs: CRS of the mosaic; None takes the first map's.
            resolution: Side of a pixel, CRS units; None takes the first map's.

        Returns:
            The lattice. With another CRS or resolution its edges are multiples of the resolution.
        """
        own = cls._of_map(first)
        has_other_crs = crs is not None and not same_crs(crs, first.crs)
        if not has_other_crs and resolution in {None, own.pixel_width}:
            return own
        if not has_other_crs or crs is None:
            crs = first.crs
        side = resolution or _resolution_in(first, crs)
        return cls(crs=crs, left=0.0, top=0.0, pixel_width=side, pixel_height=side)

    @classmethod
    def _of_map(cls, grid: GeoGrid) -> "Lattice":
        steps, box = grid.transform, grid.bounds
        return cls(
            crs=grid.crs,
            left=box.left,
            top=box.top,
            pixel_width=math.hypot(steps.a, steps.d),
            pixel_height=math.hypot(steps.b, steps.e),
        )

    @property
    def is_geographic(self) -> bool:
        """True if coordinates are degrees, which begin again after a turn."""
        return self.crs is not None and self.crs.is_geographic

    def box_of(self, grid: GeoGrid) -> MapBounds:
        """Return the box around a map in the CRS of the lattice.

        Args:
            grid: Grid of the map.

        Returns:
            The box; across the antimeridian its longitudes go on beyond 180 degrees.

        Raises:
            GridMismatchError: If the map cannot be brought to this CRS.
        """
        if self.crs is None or grid.crs is None or same_crs(self.crs, grid.crs):
            return grid.bounds
        own = grid.bounds
        try:
            with quiet_gdal():
                left, bottom, right, top = transform_bounds(
                    grid.crs, self.crs, own.left, own.bottom, own.right, own.top
                )
                sides = _pixel_sides(grid, self.crs)
        except (RasterioError, CRSError, CPLE_BaseError) as error:
            raise GridMismatchError(self._unreachable(_NOWHERE)) from error
        if not all(map(math.isfinite, (left, bottom, right, top, *sides))):
            raise GridMismatchError(self._unreachable(_NOWHERE))
        if right < left:
            right += _TURN_DEGREES
        reach = _TORN * (sides[0] * grid.width + sides[1] * grid.height)
        if max(right - left, top - bottom) > reach:
            raise GridMismatchError(self._unreachable(_TORN_APART))
        return MapBounds(left=left, bottom=bottom, right=right, top=top)

    def place(self, grid: GeoGrid, box: MapBounds, *, turn: float = 0.0) -> Place:
        """Find the pixels of a map.

        Args:
            grid: Grid of the map.
            box: Its box in the CRS of the lattice.
            turn: Degrees to add to its longitudes.

        Returns:
            Where it lies.
        """
        cols = ((box.left + turn - self.left) / self.pixel_width,
                (box.right + turn - self.left) / self.pixel_width)  # fmt: skip
        rows = ((self.top - box.top) / self.pixel_height,
                (self.top - box.bottom) / self.pixel_height)  # fmt: skip
        reason = self._reason(grid, rows, cols)
        if not reason:
            window = Window(
                row=round(rows[0]), col=round(cols[0]), height=grid.height, width=grid.width
            )
            return Place(window=window, turn=turn)
        row, col = (math.floor(start + _ROUNDING_SHARE) for start in (rows[0], cols[0]))
        row_stop, col_stop = (math.ceil(stop - _ROUNDING_SHARE) for stop in (rows[1], cols[1]))
        window = Window(
            row=row, col=col, height=max(row_stop - row, 1), width=max(col_stop - col, 1)
        )
        return Place(window=window, resampled=reason, turn=turn)

    def grid_of(self, window: Window) -> GeoGrid:
        """Return a part of the lattice as a grid.

        Args:
            window: The part.

        Returns:
            Its grid.
        """
        left = self.left + window.col * self.pixel_width
        top = self.top - window.row * self.pixel_height
        steps = Affine(self.pixel_width, 0.0, left, 0.0, -self.pixel_height, top)
        return GeoGrid(height=window.height, width=window.width, crs=self.crs, transform=steps)

    def _reason(self, grid: GeoGrid, rows: tuple[float, float], cols: tuple[float, float]) -> str:
        """Say why a map's pixels are not those of the lattice; nothing if they are."""
        steps = grid.transform
        if self.crs is not None and not same_crs(self.crs, grid.crs):
            return "another CRS"
        if steps.b or steps.d or steps.a < 0 or steps.e > 0:
            return "not north-up"
        sizes = ((rows, grid.height), (cols, grid.width))
        if any(abs(stop - start - size) > _SAME_PIXEL_SHARE for (start, stop), size in sizes):
            return "another resolution"
        if any(abs(place - round(place)) > _SAME_PIXEL_SHARE for place in (*rows, *cols)):
            return "a shifted grid"
        return ""

    def _unreachable(self, why: str) -> str:
        name = crs_text(self.crs)
        return (
            f"it cannot be brought to the mosaic's CRS {name}: it {why}; give another --mosaic-crs"
        )


def turns_of(boxes: Sequence[MapBounds]) -> list[float]:
    """Choose longitudes so that maps on both sides of the antimeridian lie side by side.

    Args:
        boxes: Boxes of all maps, degrees.

    Returns:
        What is added to the longitudes of each: 360 for western ones, if the mosaic becomes
        narrower by it, else 0.

    Example:
        >>> east = MapBounds(left=179, bottom=0, right=180, top=1)
        >>> turns_of([east, MapBounds(left=-180, bottom=0, right=-179, top=1)])
        [0.0, 360.0]
    """
    turned = [_TURN_DEGREES if box.left + box.right < 0 else 0.0 for box in boxes]
    plain = [0.0] * len(boxes)
    return min((plain, turned), key=lambda turns: _breadth(boxes, turns))


def _breadth(boxes: Sequence[MapBounds], turns: Sequence[float]) -> float:
    pairs = list(zip(boxes, turns, strict=True))
    breadth = max(box.right + turn for box, turn in pairs) - min(
        box.left + turn for box, turn in pairs
    )
    # Rounding must not turn half the world.
    return round(breadth, 6)


def union_of(places: Sequence[Place]) -> Window:
    """Return the smallest window that holds all maps.

    Args:
        places: The maps, one or more.

    Returns:
        The window, counted from the lattice's origin.
    """
    windows = [place.window for place in places]
    row, col = min(window.row for window in windows), min(window.col for window in windows)
    return Window(
        row=row,
        col=col,
        height=max(window.row_stop for window in windows) - row,
        width=max(window.col_stop for window in windows) - col,
    )


def moved(place: Place, union: Window) -> Place:
    """Count the pixels of a map from the first pixel of the mosaic.

    Args:
        place: Where the map lies in the lattice.
        union: The mosaic.

    Returns:
        Where it lies in the mosaic.
    """
    return replace(place, window=place.window.shifted(rows=-union.row, cols=-union.col))


def check_resolution(resolution: float | None) -> None:
    """Check the side of a pixel.

    Args:
        resolution: The side, CRS units; None if it was not given.

    Raises:
        OptionError: If it is no length.
    """
    if resolution is not None and not (math.isfinite(resolution) and resolution > 0):
        message = f"mosaic resolution {resolution} is not a length; give one above 0, in CRS units"
        raise OptionError(message)


def _resolution_in(grid: GeoGrid, crs: CRS | None) -> float:
    """Return the side of square pixels as large as a map's central one."""
    try:
        with quiet_gdal():
            across, down = _pixel_sides(grid, crs)
    except (RasterioError, CRSError, CPLE_BaseError):
        across = down = math.inf
    side = math.sqrt(across * down)
    if not (math.isfinite(side) and side > 0):
        message = (
            f"the first map cannot be brought to {crs_text(crs)}; give another --mosaic-crs or "
            "another first scene"
        )
        raise OptionError(message)
    # Six digits, so that people can type it.
    return float(f"{side:.6g}")


def _pixel_sides(grid: GeoGrid, crs: CRS | None) -> tuple[float, float]:
    """Return how long the sides of a map's central pixel are in another CRS."""
    row, col = grid.height / 2, grid.width / 2
    corners = [(row, col), (row, col + 1), (row + 1, col)]
    points = [to_map(grid.transform, row=one, col=other) for one, other in corners]
    eastings, northings = transform(grid.crs, crs, *map(list, zip(*points, strict=True)))
    is_geographic = crs is not None and crs.is_geographic
    sides = []
    for place in (1, 2):
        east, north = eastings[place] - eastings[0], northings[place] - northings[0]
        if is_geographic:
            east = math.remainder(east, _TURN_DEGREES)
        sides.append(math.hypot(east, north))
    return sides[0], sides[1]
