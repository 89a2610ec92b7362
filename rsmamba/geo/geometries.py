"""Geometries of files: which of them can be burnt, told before GDAL meets them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Geometry = Mapping[str, Any]

# How many lists lie around a position.
_DEPTHS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_SHORTEST = {"LineString": 2, "MultiLineString": 2, "Polygon": 4, "MultiPolygon": 4}


def burnable(geometry: object) -> Geometry | None:
    """Check a geometry and take what can be burnt of it.

    Args:
        geometry: GeoJSON geometry as a file has it; coordinates may have heights.

    Returns:
        Type and coordinates alone; None for a geometry that is absent or empty.

    Raises:
        ValueError: If it is no geometry; the text says what it is.

    Example:
        >>> burnable({"type": "Point", "coordinates": [3, 4], "bbox": [0, 0, 1, 1]})
        {'type': 'Point', 'coordinates': [3, 4]}
        >>> burnable({"type": "Polygon", "coordinates": []}) is None
        True
    """
    if geometry is None:
        return None
    kind = str(geometry.get("type")) if isinstance(geometry, Mapping) else ""
    if not isinstance(geometry, Mapping) or kind not in {*_DEPTHS, "GeometryCollection"}:
        msg = f"no geometry but {str(geometry)[:40]!r}"
        raise ValueError(msg)
    if kind == "GeometryCollection":
        parts = [burnable(part) for part in _listed(geometry.get("geometries"), "geometries")]
        present = [part for part in parts if part is not None]
        return {"type": kind, "geometries": present} if present else None
    coordinates = _listed(geometry.get("coordinates"), f"coordinates of a {kind}")
    present = _without_empty(coordinates, _DEPTHS[kind], shortest=_SHORTEST.get(kind, 1))
    return {"type": kind, "coordinates": present} if present else None


def _without_empty(value: object, depth: int, *, shortest: int) -> list[Any]:
    """Positions below some lists, without lists that hold none."""
    items = _listed(value, "coordinates")
    if depth == 0:
        _check_position(items)
        return items
    parts = [_without_empty(item, depth - 1, shortest=shortest) for item in items]
    present = [part for part in parts if part]
    if depth == 1 and 0 < len(present) < shortest:
        msg = f"a ring or line of {len(present)} positions, which needs {shortest} or more"
        raise ValueError(msg)
    return present


def _check_position(numbers: Sequence[object]) -> None:
    """Refuse what is no place; no numbers at all are an empty point."""
    are_finite = all(isinstance(n, int | float) and abs(n) < math.inf for n in numbers)
    if not are_finite or len(numbers) == 1:
        msg = f"the position {str(numbers)[:40]}, which is no pair of numbers"
        raise ValueError(msg)


def _listed(value: object, what: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    msg = f"no list of {what}"
    raise ValueError(msg)
