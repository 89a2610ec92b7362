"""Class maps as polygons: GeoPackage, GeoParquet or GeoJSON, written while the map is read.

Some thousand polygons and one strip of the map are in memory, whatever the number of rows.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError, OutputError, require
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.kinds import SCORE_STEPS
from rsmamba.geo.opening import read_errors
from rsmamba.geo.output import check_output, write_errors
from rsmamba.geo.part_folder import PartFolder
from rsmamba.geo.polygonising import ClassPolygon, MapStrip, class_polygons
from rsmamba.geo.regions import reach_of_sieve, sieve
from rsmamba.geo.vector_files import VectorRow, open_vector_file
from rsmamba.geo.window import Window

VECTOR_OUTPUTS = (".gpkg", ".parquet", ".geojson")
# The sieve looks at so many rows on either side that more would not be bounded memory.
LARGEST_SIEVE_PIXELS = 1000
_PIXELS_OF_A_STRIP = 2**22
_FEWEST_ROWS = 256


def check_vector_output(path: str | Path, *, overwrite: bool = False) -> Path:
    """Check that polygons can be written, before any work is done for them.

    Args:
        path: The vector file.
        overwrite: Replace it if it exists.

    Returns:
        The absolute path.

    Raises:
        OptionError: If its name ends in none of the formats.
        OutputExistsError: If it exists and ``overwrite`` is False.
        OutputError: If it cannot be written.
        MissingPackageError: If a package for the format is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in VECTOR_OUTPUTS:
        message = (
            f"vectors {path} ends in {suffix or 'nothing'}; give a name that ends in "
            f"{', '.join(VECTOR_OUTPUTS)}"
        )
        raise OptionError(message)
    packages = {".gpkg": ("pyogrio",), ".parquet": ("pyarrow",), ".geojson": ()}[suffix]
    for package in ("shapely", "pyproj", *packages):
        require(package, extra="vector")
    return check_output(path, overwrite=overwrite, suffixes=VECTOR_OUTPUTS)


def check_outlines(*, simplify_px: float, min_pixels: int) -> None:
    """Check how polygons are made.

    Args:
        simplify_px: How far outlines may leave the pixels' sides, pixels.
        min_pixels: Pixels of the smallest region that stays.

    Raises:
        OptionError: If one is out of range.
    """
    if not 0 <= simplify_px < math.inf:
        message = f"simplify {simplify_px} is not a distance; give 0 px or more"
        raise OptionError(message)
    if not 1 <= min_pixels <= LARGEST_SIEVE_PIXELS:
        message = f"min_pixels {min_pixels} is not allowed; give 1 to {LARGEST_SIEVE_PIXELS} pixels"
        raise OptionError(message)


def write_vectors(
    path: str | Path,
    *,
    class_map: Path,
    classes: ClassScheme,
    confidence: Path | None = None,
    simplify_px: float = 0.0,
    min_pixels: int = 1,
    overwrite: bool = False,
) -> Path:
    """Write the regions of a class map as polygons: pixels of one class that touch by their sides.

    Attributes are ``class`` (index), ``name``, ``area_m2`` of the polygon as it is written
    (geodesic where the map is in degrees, unknown without a CRS), and ``confidence``, the mean
    score of the class over the region's pixels, where there are scores. The file appears under its
    name when it is complete.

    Args:
        path: The file; ``.gpkg``, ``.parquet`` or ``.geojson`` (longitude and latitude).
        class_map: The class map.
        classes: Its classes.
        confidence: Raster of scores on the same grid; None without.
        simplify_px: How far outlines may leave the pixels' sides, pixels; 0 keeps them. Shared
            borders stay shared.
        min_pixels: Smaller regions get the class that they share the longest border with.
        overwrite: Replace the file if it exists.

    Returns:
        Absolute path of the file.

    Raises:
        OptionError: If the format or an option is not allowed.
        OutputError: If the file cannot be written, or the format wants a CRS and there is none.
    """
    target = check_vector_output(path, overwrite=overwrite)
    check_outlines(simplify_px=simplify_px, min_pixels=min_pixels)
    with no_georeference_warning(), rasterio.open(class_map) as dataset:
        grid = GeoGrid.from_dataset(dataset)
    if grid.crs is None and target.suffix.lower() == ".geojson":
        message = f"{target.name} would be in longitude and latitude, and the map has no CRS; "
        message += "give a name that ends in .gpkg or .parquet"
        raise OutputError(message)
    strips = _strips(class_map, confidence, grid=grid, min_pixels=min_pixels)
    folder = PartFolder(target)
    folder.make()
    try:
        finished = folder.path / target.name
        with write_errors(target), open_vector_file(finished, crs=grid.crs) as file:
            for polygon in class_polygons(strips, simplify_px=simplify_px):
                file.add(_row(polygon, grid, classes))
        folder.publish(finished)
    finally:
        folder.remove()
    return target


def area_m2(geometry: Any, crs: CRS | None) -> float | None:  # noqa: ANN401 - a shapely geometry
    """Return the area of a polygon in square metres.

    Args:
        geometry: A shapely polygon in map coordinates.
        crs: Their CRS.

    Returns:
        The area: on the ellipsoid where coordinates are degrees, else on the map; None without CRS.
    """
    if crs is None:
        return None
    if crs.is_geographic:
        geod = require("pyproj", extra="vector").CRS.from_wkt(crs.to_wkt()).get_geod()
        return abs(float(geod.geometry_area_perimeter(geometry)[0]))
    return float(geometry.area) * float(crs.linear_units_factor[1]) ** 2


def _row(polygon: ClassPolygon, grid: GeoGrid, classes: ClassScheme) -> VectorRow:
    affinity = require("shapely", extra="vector").affinity
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    geometry = affinity.affine_transform(polygon.geometry, (a, b, d, e, c, f))
    return VectorRow(
        geometry=geometry,
        class_index=polygon.class_index,
        name=classes.names[polygon.class_index],
        area_m2=area_m2(geometry, grid.crs),
        confidence=polygon.confidence,
    )


def _strips(
    class_map: Path, confidence: Path | None, *, grid: GeoGrid, min_pixels: int
) -> Iterator[MapStrip]:
    """Read, sieve and cut a class map. What is read beside a strip decides what its sieve does."""
    height, width = grid.height, grid.width
    step = max(_FEWEST_ROWS, _PIXELS_OF_A_STRIP // width)
    reach = reach_of_sieve(min_pixels)
    for row in range(0, height, step):
        stop = min(row + step, height)
        first, last = max(row - reach, 0), min(stop + reach, height)
        classes = sieve(
            _read(class_map, Window(row=first, col=0, height=last - first, width=width)),
            min_pixels=min_pixels,
        )
        window = Window(row=row, col=0, height=stop - row, width=width)
        yield MapStrip(
            row=row,
            classes=classes[row - first : stop - first],
            confidence=None if confidence is None else _scores(_read(confidence, window)),
        )


def _read(path: Path, window: Window) -> NDArray[Any]:
    with read_errors(path, window), no_georeference_warning(), rasterio.open(path) as dataset:
        values: NDArray[Any] = dataset.read(1, window=window.to_rasterio())
    return values


def _scores(values: NDArray[Any]) -> NDArray[np.float32]:
    if values.dtype == np.uint8:
        return np.minimum(values, SCORE_STEPS) / np.float32(SCORE_STEPS)
    return np.nan_to_num(values.astype(np.float32))
