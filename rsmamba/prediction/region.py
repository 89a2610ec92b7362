"""Region: the part of a scene that is predicted, from bounds, a window or an area of interest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.features import bounds as geometry_bounds
from rasterio.features import geometry_mask

from rsmamba.errors import OptionError
from rsmamba.geo.crs import parse_crs
from rsmamba.geo.grid import GeoGrid, MapBounds
from rsmamba.geo.window import Window
from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.polygons import Geometry, read_polygons


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """The part of a scene that is wanted.

    Attributes:
        window: Box of the part, pixels.
        grid: Grid of the whole scene.
        polygons: Where pixels are wanted, in the CRS of the grid; empty means everywhere.
        generous: Take every pixel that a polygon touches, not only those whose centre is inside.
    """

    window: Window
    grid: GeoGrid
    polygons: tuple[Geometry, ...] = ()
    generous: bool = False

    def wanted(self, window: Window) -> npt.NDArray[np.bool_] | None:
        """Return which pixels of a window are inside the polygons.

        Args:
            window: Any window of the scene.

        Returns:
            True where a pixel is wanted (h, w); None if every pixel is.
        """
        if not self.polygons:
            return None
        inside: npt.NDArray[np.bool_] = geometry_mask(
            self.polygons,
            out_shape=(window.height, window.width),
            transform=self.grid.for_window(window).transform,
            all_touched=self.generous,
            invert=True,
        )
        return inside


def find_region(grid: GeoGrid, config: PredictConfig) -> Region:
    """Find the part of a scene that the options ask for.

    Args:
        grid: Grid of the scene.
        config: Bounds, window and area of interest.

    Returns:
        The region; the whole scene if nothing is asked for.

    Raises:
        OptionError: If the options do not touch the scene or need a georeference that it lacks.
    """
    window = grid.window
    if config.window is not None:
        window = _given_window(config.window, grid)
    if config.bounds is not None:
        window = _window_of_bounds(config.bounds, config.bounds_crs, grid)
    if config.aoi is None:
        return Region(window=window, grid=grid)
    polygons = read_polygons(config.aoi, crs=grid.crs)
    if grid.transform.is_identity:
        message = f"aoi {config.aoi} needs a scene with a transform; give a window in pixels"
        raise OptionError(message)
    touched = grid.window_of(_joint_bounds(polygons)).intersection(window)
    if touched is None:
        message = f"aoi {config.aoi} does not touch the bounds or window; leave one of them out"
        raise OptionError(message)
    return Region(window=touched, grid=grid, polygons=polygons)


def _given_window(numbers: Sequence[float], grid: GeoGrid) -> Window:
    col, row, width, height = (round(number) for number in numbers)
    asked = f"window col {col}, row {row}, width {width}, height {height}"
    if width < 1 or height < 1 or [col, row, width, height] != list(numbers):
        message = f"{asked} is not a part of a scene; give whole pixels, and 1 px or more a side"
        raise OptionError(message)
    window = Window(row=row, col=col, height=height, width=width)
    if not grid.window.contains(window):
        message = f"{asked} is not inside the scene of {grid.width} x {grid.height} px"
        raise OptionError(message)
    return window


def _window_of_bounds(numbers: Sequence[float], crs: str | None, grid: GeoGrid) -> Window:
    bounds, given_crs = _given_bounds(numbers), _given_crs(crs, grid)
    try:
        return grid.window_of(bounds, crs=given_crs)
    except (RasterioError, OverflowError, ValueError) as error:
        if isinstance(error, OptionError):
            raise
        message = (
            f"bounds {','.join(f'{number:g}' for number in numbers)} have no place in the CRS of "
            "the scene; check their order and bounds_crs"
        )
        raise OptionError(message) from error


def _given_bounds(numbers: Sequence[float]) -> MapBounds:
    left, bottom, right, top = numbers
    if not (left < right and bottom < top):
        message = (
            f"bounds {left:g},{bottom:g},{right:g},{top:g} are empty; "
            "give left,bottom,right,top with left below right and bottom below top"
        )
        raise OptionError(message)
    return MapBounds(left=left, bottom=bottom, right=right, top=top)


def _given_crs(text: str | None, grid: GeoGrid) -> CRS | None:
    if text is None:
        return None
    if grid.crs is None:
        message = f"bounds_crs {text} needs a scene with a CRS; leave it out or give a window"
        raise OptionError(message)
    try:
        return parse_crs(text)
    except (CRSError, ValueError) as error:
        message = f"bounds_crs {text!r} is not a CRS; give one such as EPSG:4326"
        raise OptionError(message) from error


def _joint_bounds(polygons: Sequence[Geometry]) -> MapBounds:
    boxes = [geometry_bounds(polygon) for polygon in polygons]
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return MapBounds(left=min(lefts), bottom=min(bottoms), right=max(rights), top=max(tops))
