"""Polygons of an area of interest, from a vector file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_geom

from rsmamba.errors import DataError, require
from rsmamba.geo.crs import parse_crs
from rsmamba.geo.trust import check_vectors
from rsmamba.prediction.config import PathLike

Geometry = Mapping[str, Any]
_GEOJSON_SUFFIXES = (".geojson", ".json")
_POLYGONS = ("Polygon", "MultiPolygon")


def read_polygons(path: PathLike, *, crs: CRS | None) -> tuple[Geometry, ...]:
    """Read the polygons of a vector file.

    Args:
        path: GeoJSON, or any other format with the ``vector`` extra.
        crs: CRS that the polygons are brought to; None leaves them as they are.

    Returns:
        Polygons as GeoJSON-like dictionaries.

    Raises:
        DataError: If the file is missing, unreadable or has no polygon.
    """
    path = Path(path)
    if not path.is_file():
        message = f"aoi {path} is not a file; give a vector file with polygons"
        raise DataError(message)
    is_geojson = path.suffix.lower() in _GEOJSON_SUFFIXES
    geometries, source = _read_geojson(path) if is_geojson else _read_vectors(path)
    polygons = [geometry for geometry in geometries if geometry.get("type") in _POLYGONS]
    if not polygons:
        message = f"aoi {path} has no polygon; give a vector file with polygons"
        raise DataError(message)
    if crs is None or source is None or source == crs:
        return tuple(polygons)
    try:
        return tuple(transform_geom(source, crs, polygon) for polygon in polygons)
    except RasterioError as error:
        message = f"aoi {path} cannot be brought to the CRS of the scene: {error}"
        raise DataError(message) from error


def _read_geojson(path: Path) -> tuple[list[Geometry], CRS | None]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        geometries = list(_geometries(content))
    except (ValueError, TypeError, AttributeError) as error:
        message = f"aoi {path} is not GeoJSON ({error}); give a FeatureCollection of polygons"
        raise DataError(message) from error
    # The standard knows only longitude and latitude; older files name another CRS.
    name = (content.get("crs") or {}).get("properties", {}).get("name", "OGC:CRS84")
    try:
        return geometries, parse_crs(name)
    except (CRSError, ValueError) as error:
        message = f"aoi {path} names a CRS that is not known: {name}; save it in EPSG:4326"
        raise DataError(message) from error


def _geometries(content: Mapping[str, Any]) -> Iterator[Geometry]:
    kind = content.get("type")
    if kind == "FeatureCollection":
        for feature in content.get("features", ()):
            yield from _geometries(feature)
    elif kind == "Feature":
        yield from _geometries(content.get("geometry") or {})
    elif kind == "GeometryCollection":
        for geometry in content.get("geometries", ()):
            yield from _geometries(geometry)
    else:
        yield content


def _read_vectors(path: Path) -> tuple[list[Geometry], CRS | None]:
    geopandas = require("geopandas", extra="vector")
    check_vectors(path)
    try:
        frame = geopandas.read_file(path)
    except Exception as error:
        # The engines of geopandas raise errors without a common class.
        message = f"aoi {path} cannot be read as vectors: {error}"
        raise DataError(message) from error
    shapes = [shape for shape in frame.geometry if shape is not None and not shape.is_empty]
    crs = None if frame.crs is None else parse_crs(frame.crs.to_wkt())
    return [shape.__geo_interface__ for shape in shapes], crs
