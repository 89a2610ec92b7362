"""Ground sample distance: how many metres one pixel covers at the centre of a raster."""

import math

from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform as transform_points

from rsmamba.geo.transform import to_map

# WGS 84 ellipsoid: semi-major axis in metres and first eccentricity squared.
_SEMI_MAJOR_M = 6378137.0
_ECCENTRICITY_2 = 0.00669437999014
# UTM and national grids distort by less than this; their users know the round number.
_ROUND_NUMBER_SHARE = 0.02


def ground_sample_distance_m(
    crs: CRS, transform: Affine, *, centre_row: float, centre_col: float
) -> float | None:
    """Return the square root of one pixel's area on the ground.

    Degrees, feet and the stretched metres of Web Mercator all come out as metres on the ground.

    Args:
        crs: CRS of the transform.
        transform: Affine map from (col, row) to map coordinates.
        centre_row: Where to measure, pixels.
        centre_col: Where to measure, pixels.

    Returns:
        Metres per pixel, or None if the CRS has no known place on the earth and no unit of length.
    """
    nominal = _nominal(crs, transform)
    measured = _measured(crs, transform, centre_row=centre_row, centre_col=centre_col)
    if measured is None:
        return nominal
    if nominal is not None and abs(measured / nominal - 1.0) < _ROUND_NUMBER_SHARE:
        return nominal
    return measured


# Pixel side by the CRS's own unit; None for degrees and unknown units.
def _nominal(crs: CRS, transform: Affine) -> float | None:
    if crs.is_geographic:
        return None
    try:
        _, metres_per_unit = crs.linear_units_factor
    except (RasterioError, CRSError):
        return None
    side_m = float(math.sqrt(abs(transform.determinant)) * metres_per_unit)
    # The transform of a damaged file may be so small that nothing is left of it.
    return side_m if 0 < side_m < math.inf else None


def _measured(crs: CRS, transform: Affine, *, centre_row: float, centre_col: float) -> float | None:
    corners = [
        to_map(transform, row=centre_row, col=centre_col),
        to_map(transform, row=centre_row, col=centre_col + 1),
        to_map(transform, row=centre_row + 1, col=centre_col),
    ]
    eastings, northings = zip(*corners, strict=True)
    try:
        longitudes, latitudes = transform_points(
            crs, CRS.from_epsg(4326), list(eastings), list(northings)
        )
    except (RasterioError, CRSError, CPLE_BaseError):
        # An engineering CRS has no place on the earth.
        return None
    if not all(map(math.isfinite, [*longitudes, *latitudes])) or abs(latitudes[0]) > 90:
        return None
    across_east, across_north = _metres_between(longitudes[:2], latitudes[:2])
    down_east, down_north = _metres_between(longitudes[::2], latitudes[::2])
    area_m2 = abs(across_east * down_north - across_north * down_east)
    return math.sqrt(area_m2) if area_m2 > 0 else None


# Metres east and north from the first point to the second, which is close by.
def _metres_between(longitudes: list[float], latitudes: list[float]) -> tuple[float, float]:
    latitude = math.radians(latitudes[0])
    curvature = 1.0 - _ECCENTRICITY_2 * math.sin(latitude) ** 2
    prime_vertical_m = _SEMI_MAJOR_M / math.sqrt(curvature)
    meridian_m = prime_vertical_m * (1.0 - _ECCENTRICITY_2) / curvature
    turn = (longitudes[1] - longitudes[0] + 180.0) % 360.0 - 180.0
    east_m = math.radians(turn) * prime_vertical_m * math.cos(latitude)
    return east_m, math.radians(latitudes[1] - latitudes[0]) * meridian_m
