"""Vector labels: polygons, lines or points with a class, burnt into windows of a grid.

A pixel belongs to a polygon when its centre lies inside; a point labels the one pixel that holds
it. Where features overlap, the later one wins.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.features import bounds as geometry_bounds
from rasterio.features import rasterize
from rasterio.warp import transform_geom

from rsmamba.errors import DataError, SceneError, require
from rsmamba.geo.crs import parse_crs
from rsmamba.geo.environment import first_cause, quiet_gdal
from rsmamba.geo.geometries import Geometry, burnable
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.transform import shifted
from rsmamba.geo.trust import check_vectors
from rsmamba.geo.window import Window

VECTOR_SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".parquet", ".geoparquet", ".fgb", ".kml")
# RFC 7946: longitude and latitude, unless an old file says otherwise.
_GEOJSON_CRS = "OGC:CRS84"

_LONGEST_LABEL = 80
IndexOf = Callable[[object], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One labelled geometry.

    Attributes:
        number: Its place among all features of the file, from 0.
        geometry: GeoJSON geometry in the CRS of the file.
        label: Value of the class field.
    """

    number: int
    geometry: Geometry
    label: object


def is_vector(path: str | Path) -> bool:
    """Say whether a path ends like a vector file.

    Args:
        path: The path.

    Returns:
        True for GeoJSON, GeoPackage, GeoParquet, shapefiles, FlatGeobuf and KML.

    Example:
        >>> is_vector("labels.geojson"), is_vector("labels.tif")
        (True, False)
    """
    return Path(path).suffix.lower() in VECTOR_SUFFIXES


def read_features(path: str | Path, *, field: str) -> tuple[tuple[Feature, ...], CRS | None]:
    """Read labelled geometries; GeoJSON needs no other package.

    Args:
        path: A vector file.
        field: Attribute that holds the class.

    Returns:
        The features in the order of the file, without empty ones, and their CRS, None if unknown.

    Raises:
        SceneError: If the file is missing or cannot be read.
        DataError: If it has no features or not the attribute, or a geometry is none.
        MissingPackageError: If geopandas is needed and not installed.
    """
    source = Path(path)
    if not source.exists():
        message = f"vector file {path} does not exist; check the path"
        raise SceneError(message)
    reader = _read_geojson if source.suffix.lower() in {".geojson", ".json"} else _read_with_pandas
    rows, crs = reader(source)
    shapes = [_burnable(path, number, geometry) for number, (geometry, _) in enumerate(rows)]
    if all(shape is None for shape in shapes):
        message = f"{path} has no features; give a file with labelled geometries"
        raise DataError(message)
    fields = sorted({str(name) for _, attributes in rows for name in attributes})
    if field not in fields:
        message = (
            f"{path} has no attribute {field!r}; it has {', '.join(fields) or 'none'}: name the "
            "one that holds the class"
        )
        raise DataError(message)
    features = tuple(
        Feature(number=number, geometry=shape, label=attributes.get(field))
        for number, (shape, (_, attributes)) in enumerate(zip(shapes, rows, strict=True))
        if shape is not None
    )
    return features, crs


def _burnable(path: str | Path, number: int, geometry: object) -> Geometry | None:
    """A geometry that GDAL can burn, None where it is empty."""
    try:
        return burnable(geometry)
    except ValueError as error:
        message = f"feature {number} of {path} has {error}; correct it, or leave it out"
        raise DataError(message) from error


class BurntLabels:
    """Vector labels on a grid, read window by window like a raster.

    Args:
        shapes: GeoJSON geometry in the grid's CRS and class index of each feature, in order.
        grid: The grid to burn on.
        ignore_index: Value of pixels without a feature.

    Attributes:
        grid: The grid.
        num_features: Number of features.
        num_points: Number of features that are points.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[Geometry, int]],
        *,
        grid: GeoGrid,
        ignore_index: int = 255,
    ) -> None:
        self.grid = grid
        self.num_features = len(shapes)
        self.num_points = sum("Point" in geometry["type"] for geometry, _ in shapes)
        self._ignore_index = ignore_index
        self._shapes = list(shapes)
        boxes = [_pixel_box(shape, grid.transform) for shape, _ in shapes]
        self._boxes = np.array(boxes, np.float64).reshape(-1, 4)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        field: str,
        index_of: IndexOf,
        grid: GeoGrid,
        ignore_index: int = 255,
    ) -> Self:
        """Read a vector file for a grid.

        Args:
            path: A vector file.
            field: Attribute that holds the class.
            index_of: Class index of an attribute's value, `ignore_index` to leave the feature's
                pixels unlabelled, None if the value is not a class.
            grid: The grid to burn on; needs a transform, and a CRS where the file has one.
            ignore_index: Value of pixels without a feature.

        Returns:
            The labels.

        Raises:
            SceneError: If the file cannot be read.
            DataError: If a geometry is none or cannot be brought into the grid's CRS, a value is
                not a class, no feature touches the grid, or the grid has no georeference.
            MissingPackageError: If geopandas is needed and not installed.
        """
        if grid.transform.is_identity:
            message = (
                f"{path} holds vectors and the raster has no transform to place them on; give a "
                "label raster, or a georeferenced map"
            )
            raise DataError(message)
        features, crs = read_features(path, field=field)
        indices = _indices(path, features, field=field, index_of=index_of)
        given = [feature.geometry for feature in features]
        geometries = _reprojected(path, given, source=crs, target=grid.crs)
        shapes = list(zip(geometries, indices, strict=True))
        labels = cls(shapes, grid=grid, ignore_index=ignore_index)
        if not labels._touching(grid.window):
            message = f"no feature of {path} touches {grid.describe()}; check both files and CRSs"
            raise DataError(message)
        return labels

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Burn the features of a window.

        Args:
            window: Window of the grid.

        Returns:
            Class indices (h, w), `ignore_index` where there is no feature.
        """
        shape = (window.height, window.width)
        chosen = self._touching(window)
        if not chosen:
            return np.full(shape, self._ignore_index, np.uint8)
        burnt: NDArray[np.uint8] = rasterize(
            [self._shapes[index] for index in chosen],
            out_shape=shape,
            fill=self._ignore_index,
            transform=shifted(self.grid.transform, rows=window.row, cols=window.col),
            dtype="uint8",
        )
        return burnt

    def _touching(self, window: Window) -> list[int]:
        """Positions of the features whose box touches a window."""
        top, left, bottom, right = self._boxes.T
        touches = (top <= window.row_stop) & (bottom >= window.row)
        touches &= (left <= window.col_stop) & (right >= window.col)
        return [int(index) for index in np.flatnonzero(touches)]


def _pixel_box(geometry: Geometry, transform: Affine) -> tuple[float, float, float, float]:
    """Rows and columns around a geometry: top, left, bottom, right."""
    left, bottom, right, top = geometry_bounds(geometry)
    inverse = ~transform
    corners = [(x, y) for x in (left, right) for y in (bottom, top)]
    cols = [inverse.a * x + inverse.b * y + inverse.c for x, y in corners]
    rows = [inverse.d * x + inverse.e * y + inverse.f for x, y in corners]
    return min(rows), min(cols), max(rows), max(cols)


def _indices(
    path: str | Path, features: Iterable[Feature], *, field: str, index_of: IndexOf
) -> list[int]:
    """Class index of each feature."""
    indices: list[int] = []
    for feature in features:
        index = index_of(feature.label)
        if index is None:
            message = (
                f"feature {feature.number} of {path} has the {field} {_shown(feature.label)}, "
                "which is no class; give class names or indices"
            )
            raise DataError(message)
        indices.append(index)
    return indices


def _shown(label: object) -> str:
    """A value in a message, short enough to read."""
    try:
        text = repr(label)
    except ValueError:  # an integer of thousands of digits
        return "a number too long to show"
    return text if len(text) <= _LONGEST_LABEL else f"{text[:_LONGEST_LABEL]}..."


def _reprojected(
    path: str | Path, geometries: Sequence[Geometry], *, source: CRS | None, target: CRS | None
) -> Sequence[Geometry]:
    """Bring geometries to the CRS of the grid, where both are known."""
    if source is None or target is None or source == target:
        return geometries
    try:
        with quiet_gdal():
            moved: list[Geometry] = transform_geom(source, target, list(geometries))
    except (RasterioError, CPLE_BaseError) as error:
        message = (
            f"the features of {path} cannot be brought from {source} to {target} "
            f"({first_cause(error)}); check the CRS that the file states, which is longitude and "
            "latitude for GeoJSON that states none"
        )
        raise DataError(message) from error
    return moved


def _read_geojson(path: Path) -> tuple[list[tuple[Geometry | None, Mapping[str, Any]]], CRS | None]:
    """Geometries and attributes of a GeoJSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        members = content["features"]
        stated = content.get("crs")
        crs = parse_crs(stated["properties"]["name"] if stated else _GEOJSON_CRS)
        rows: list[tuple[Geometry | None, Mapping[str, Any]]] = [
            (member["geometry"], dict(member.get("properties") or {})) for member in members
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, CRSError) as error:
        # A decoding error hides its place behind the end of an iteration.
        cause = str(error) if isinstance(error, json.JSONDecodeError) else first_cause(error)
        message = f"{path} cannot be read as GeoJSON: {cause}; give a FeatureCollection"
        raise SceneError(message) from error
    return rows, crs


def _read_with_pandas(
    path: Path,
) -> tuple[list[tuple[Geometry | None, Mapping[str, Any]]], CRS | None]:
    """Geometries and attributes of any other vector file."""
    geopandas = require("geopandas", extra="vector")
    check_vectors(path)
    try:
        frame = _read_frame(geopandas, path)
    except DataError:
        raise
    # GDAL, Arrow and the file system each have their own errors.
    except Exception as error:
        message = f"{path} cannot be read as vectors: {first_cause(error)}; copy it again"
        raise SceneError(message) from error
    attributes = frame.drop(columns=frame.geometry.name).to_dict("records")
    shapes = [None if shape is None else shape.__geo_interface__ for shape in frame.geometry]
    crs = None if frame.crs is None else parse_crs(frame.crs.to_wkt())
    return list(zip(shapes, attributes, strict=True)), crs


def _read_frame(geopandas: Any, path: Path) -> Any:  # noqa: ANN401 - imported late
    """The one layer of a file that has geometries; tables such as QGIS's styles are none."""
    if path.suffix.lower().endswith("parquet"):
        return geopandas.read_parquet(path)
    layers = geopandas.list_layers(path)
    names = [str(name) for name in layers.name[layers.geometry_type.notna()]]
    if len(names) != 1:
        message = (
            f"{path} has {len(names)} layers with geometries"
            f"{': ' if names else ''}{', '.join(names[:8])}; give a file with one"
        )
        raise DataError(message)
    return geopandas.read_file(path, layer=names[0])
