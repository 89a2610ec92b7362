"""Geometries: what can be burnt comes out plain, the rest is told before GDAL meets it."""

import pytest

from rsmamba.geo.geometries import burnable

RING = [[0, 0], [2, 0], [2, 2], [0, 0]]


def test_type_and_coordinates_are_all_that_is_taken() -> None:
    """A box of six numbers is allowed beside coordinates with heights."""
    shape = {
        "type": "Polygon",
        "coordinates": [[[*p, 5] for p in RING]],
        "bbox": [0, 0, 5, 2, 2, 5],
    }
    assert burnable(shape) == {"type": "Polygon", "coordinates": [[[*p, 5] for p in RING]]}


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {"type": "Polygon", "coordinates": []},
        {"type": "MultiPolygon", "coordinates": [[], [[]]]},
        {"type": "Point", "coordinates": ()},
        {"type": "GeometryCollection", "geometries": [{"type": "LineString", "coordinates": []}]},
    ],
)
def test_what_is_empty_is_nothing(geometry: object) -> None:
    assert burnable(geometry) is None


def test_empty_parts_are_left_out() -> None:
    shape = {"type": "MultiPolygon", "coordinates": [[], [RING]]}
    assert burnable(shape) == {"type": "MultiPolygon", "coordinates": [[RING]]}


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        ("POLYGON", "no geometry but 'POLYGON'"),
        ({"type": "Blob", "coordinates": []}, "no geometry but"),
        ({"type": ["Point"], "coordinates": [1, 2]}, "no geometry but"),
        ({"type": "Polygon"}, "no list of coordinates of a Polygon"),
        ({"type": "GeometryCollection"}, "no list of geometries"),
        ({"type": "Polygon", "coordinates": [RING[:2]]}, "line of 2 positions, which needs 4"),
        ({"type": "Point", "coordinates": [float("nan"), 1]}, r"position \[nan, 1\]"),
        ({"type": "Point", "coordinates": [1]}, "no pair of numbers"),
        ({"type": "Point", "coordinates": ["1", 2]}, "no pair of numbers"),
        ({"type": "Polygon", "coordinates": [[1, 2]]}, "no list of coordinates"),
    ],
)
def test_what_is_no_geometry_is_refused(geometry: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        burnable(geometry)
