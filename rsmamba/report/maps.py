"""What a class map that rsmamba wrote says of itself: read from the file and its sidecar."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_geom

from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, OutputExistsError
from rsmamba.evaluation.naming import raster_classes
from rsmamba.geo.environment import no_georeference_warning, quiet_gdal
from rsmamba.geo.output import write_errors
from rsmamba.geo.provenance import provenance_of_tags
from rsmamba.geo.transform import to_map

_HEAD_BYTES = 2**16
# Edges of a map are curved in longitude and latitude.
_STEPS = 8
_HALF_TURN = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFacts:
    """A class map.

    Attributes:
        path: The file.
        classes: Its classes.
        counts: Pixels of each class.
        height: Rows.
        width: Columns.
        crs: CRS; None if unknown.
        transform: From columns and rows to the CRS.
        tags: Provenance: version, model, model_hash, options, input.
        written: When it was written.
    """

    path: Path
    classes: ClassScheme
    counts: tuple[int, ...]
    height: int
    width: int
    crs: CRS | None
    transform: Affine
    tags: Mapping[str, str]
    written: datetime

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each class in all classified pixels, 0 to 1."""
        total = max(sum(self.counts), 1)
        return tuple(count / total for count in self.counts)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the prediction; empty if unknown."""
        with suppress(ValueError):
            found = json.loads(self.tags.get("options", "{}"))
            return found if isinstance(found, dict) else {}
        return {}


def read_map(path: str | Path) -> MapFacts:
    """Read a class map that rsmamba wrote.

    Args:
        path: The map; its ``.aux.xml`` must lie beside it.

    Returns:
        What it says of itself.

    Raises:
        DataError: If it cannot be read, or is no such map.
    """
    path = Path(path)
    try:
        with quiet_gdal(), no_georeference_warning(), rasterio.open(path, driver="GTiff") as file:
            size, crs, transform = file.shape, file.crs, file.transform
            tags = file.tags()
    except (RasterioError, CPLE_BaseError) as error:
        message = f"class map {path} cannot be read; predict it again"
        raise DataError(message) from error
    classes = raster_classes(path)
    provenance = provenance_of_tags(tags)
    if classes is None or "model" not in provenance:
        message = f"{path} is not a class map of rsmamba with its .aux.xml; predict it again"
        raise DataError(message)
    return MapFacts(
        path=path,
        classes=classes,
        counts=_counts(path, classes.num_classes),
        height=size[0],
        width=size[1],
        crs=crs,
        transform=transform,
        tags=provenance,
        written=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )


def footprint(facts: MapFacts) -> dict[str, Any] | None:
    """Return the outline of a map in longitude and latitude.

    Args:
        facts: The map.

    Returns:
        A GeoJSON polygon, or several where it crosses the antimeridian; None without a known CRS.
    """
    if facts.crs is None:
        return None
    ring = [
        to_map(facts.transform, row=row, col=col)
        for col, row in _outline(facts.height, facts.width)
    ]
    shape = {"type": "Polygon", "coordinates": [ring]}
    try:
        with quiet_gdal():
            moved: dict[str, Any] = transform_geom(
                facts.crs, CRS.from_epsg(4326), shape, antimeridian_cutting=True, precision=7
            )
    except (RasterioError, CRSError, CPLE_BaseError):
        return None
    if not np.isfinite(np.array(list(positions(moved)))).all():
        return None
    # GDAL cuts what it moves from another CRS; longitudes may go on beyond 180 degrees.
    return _cut(moved["coordinates"][0]) if moved["type"] == "Polygon" else moved


def _cut(ring: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Cut a ring whose longitudes leave -180 to 180 degrees into its two sides."""
    turn = 360.0 if min(longitude for longitude, *_ in ring) < -_HALF_TURN else 0.0
    points = [(longitude + turn, latitude) for longitude, latitude, *_ in ring]
    west, east = _clipped(points, sign=1), _clipped(points, sign=-1)
    back = [(longitude - 360.0, latitude) for longitude, latitude in east]
    rings = [[list(point) for point in part] for part in (west, back) if part]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[part] for part in rings]}


def _clipped(points: Sequence[tuple[float, float]], *, sign: int) -> list[tuple[float, float]]:
    """Keep what lies before (sign 1) or behind (sign -1) 180 degrees; Sutherland and Hodgman."""
    kept: list[tuple[float, float]] = []
    for (longitude, latitude), (next_longitude, next_latitude) in itertools.pairwise(points):
        distance, next_distance = _HALF_TURN - longitude, _HALF_TURN - next_longitude
        if sign * distance >= 0:
            kept.append((longitude, latitude))
        if distance * next_distance < 0:
            share = distance / (distance - next_distance)
            kept.append((_HALF_TURN, latitude + share * (next_latitude - latitude)))
    is_area = any(abs(longitude - _HALF_TURN) > 0 for longitude, _ in kept)
    return [*kept, kept[0]] if kept and is_area else []


def positions(geometry: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """Yield the positions of a polygon or of several.

    Args:
        geometry: GeoJSON.

    Yields:
        Longitude and latitude.
    """
    parts = geometry["coordinates"]
    for polygon in parts if geometry["type"] == "MultiPolygon" else [parts]:
        for ring in polygon:
            yield from ((position[0], position[1]) for position in ring)


def thumbnail(path: Path, *, side: int) -> NDArray[np.uint8]:
    """Read a map small, from its overviews.

    Args:
        path: The map.
        side: Longest side of the result, pixels.

    Returns:
        Class indices (h, w).
    """
    with quiet_gdal(), no_georeference_warning(), rasterio.open(path, driver="GTiff") as file:
        factor = max(max(file.shape) / side, 1.0)
        shape = tuple(max(round(length / factor), 1) for length in file.shape)
        pixels: NDArray[np.uint8] = file.read(1, out_shape=shape)
    return pixels


def write_derived(path: Path, text: str) -> Path:
    """Write a file that is made of a map; it replaces an earlier one, and nothing else.

    Args:
        path: The file.
        text: What it holds; the word rsmamba must be in it.

    Returns:
        The path.

    Raises:
        OutputExistsError: If there is a file of that name that rsmamba did not write.
        OutputError: If it cannot be written.
    """
    check_ours(path)
    part = path.with_name(f".{path.name}.part")
    with write_errors(path):
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    return path


def check_ours(path: Path) -> None:
    """Refuse to replace what rsmamba did not write.

    Args:
        path: A file that may be there.

    Raises:
        OutputExistsError: If it is there and the word rsmamba is not near its start.
    """
    if not path.exists():
        return
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    if b"rsmamba" not in head:
        message = f"{path} exists already and is not from rsmamba; move it, or name the map another"
        raise OutputExistsError(message)


def _outline(height: int, width: int) -> Iterator[tuple[float, float]]:
    corners = [(0, 0), (0, height), (width, height), (width, 0), (0, 0)]
    for (col, row), (next_col, next_row) in itertools.pairwise(corners):
        for step in range(_STEPS):
            share = step / _STEPS
            yield col + share * (next_col - col), row + share * (next_row - row)
    yield 0, 0


def _counts(path: Path, num_classes: int) -> tuple[int, ...]:
    """Pixels of each class from the attribute table, whose second column they are."""
    try:
        root = ET.parse(path.with_name(path.name + ".aux.xml")).getroot()
        rows = [[cell.text or "0" for cell in row.iter("F")] for row in root.iter("Row")]
        counts = {int(cells[0]): int(float(cells[1])) for cells in rows}
    except (OSError, ET.ParseError, ValueError, IndexError) as error:
        message = f"{path}.aux.xml cannot be read; predict the map again"
        raise DataError(message) from error
    return tuple(counts.get(index, 0) for index in range(num_classes))
