"""Grids: ground sample distance, comparison, parts, and boxes in map coordinates."""

import dataclasses

import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

from rsmamba.errors import OptionError
from rsmamba.geo.grid import GeoGrid, MapBounds
from rsmamba.geo.window import Window


def _grid(epsg: int | None, transform: Affine, *, side: int = 100) -> GeoGrid:
    crs = CRS.from_epsg(epsg) if epsg else None
    return GeoGrid(height=side, width=side, crs=crs, transform=transform)


def _rpcs(line_off: float) -> RPC:
    numbers = [0.1] * 20
    return RPC(
        height_off=1.0,
        height_scale=2.0,
        lat_off=3.0,
        lat_scale=4.0,
        line_den_coeff=numbers,
        line_num_coeff=numbers,
        line_off=line_off,
        line_scale=6.0,
        long_off=7.0,
        long_scale=8.0,
        samp_den_coeff=numbers,
        samp_num_coeff=numbers,
        samp_off=9.0,
        samp_scale=10.0,
    )


@pytest.mark.parametrize(
    ("epsg", "transform", "gsd_m"),
    [
        (32633, Affine(0.5, 0, 5e5, 0, -0.5, 5e6), 0.5),
        (32633, Affine(0, 0.5, 5e5, 0.5, 0, 5e6), 0.5),
        (2263, Affine(1, 0, 1e6, 0, -1, 2e5), 0.3048),
        (4326, Affine(1e-4, 0, 10, 0, -1e-4, 0.005), 11.1),
        (4326, Affine(1e-4, 0, 10, 0, -1e-4, 60.005), 7.88),
        (3857, Affine(10, 0, 1e6, 0, -10, 8399738), 5.0),
        (4326, Affine(1e-4, 0, 179.995, 0, -1e-4, 0.005), 11.1),
    ],
)
def test_ground_sample_distance_is_in_metres_on_the_ground(
    epsg: int, transform: Affine, gsd_m: float
) -> None:
    assert _grid(epsg, transform).gsd_m == pytest.approx(gsd_m, rel=0.01)


def test_round_pixel_sizes_stay_round_in_projected_grids() -> None:
    assert _grid(32633, Affine(10, 0, 3e5, 0, -10, 5e6)).gsd_m == 10


@pytest.mark.parametrize(
    "grid",
    [
        GeoGrid(height=2, width=2),
        _grid(None, Affine(10, 0, 0, 0, -10, 0)),
        GeoGrid(height=2, width=2, gcps=(GroundControlPoint(0, 0, 1, 2),)),
        GeoGrid(height=2, width=2, rpcs=_rpcs(5)),
        _grid(32633, Affine(1e-170, 0, 5e5, 0, -1e-170, 5e6)),
        _grid(4978, Affine(1, 0, 0, 0, -1, 0)),
        GeoGrid(
            height=2,
            width=2,
            crs=CRS.from_wkt('LOCAL_CS["site",UNIT["US survey foot",0.3048006]]'),
            transform=Affine(1, 0, 0, 0, -1, 0),
        ),
    ],
)
def test_ground_sample_distance_is_unknown_without_crs_and_transform(grid: GeoGrid) -> None:
    assert grid.gsd_m is None


def test_grids_differ_in_size_crs_and_place(utm_grid: GeoGrid) -> None:
    moved = Affine(0.5, 0, 5e5 + 0.02, 0, -0.5, 5e6)
    assert utm_grid.same_as(dataclasses.replace(utm_grid))
    assert not utm_grid.same_as(dataclasses.replace(utm_grid, width=91))
    assert not utm_grid.same_as(dataclasses.replace(utm_grid, crs=CRS.from_epsg(32634)))
    assert not utm_grid.same_as(dataclasses.replace(utm_grid, transform=moved))


def test_grids_differ_in_control_points_and_coefficients() -> None:
    points = (GroundControlPoint(0, 0, 1, 2), GroundControlPoint(5, 5, 2, 3))
    with_points = GeoGrid(height=2, width=2, gcps=points)
    with_coefficients = GeoGrid(height=2, width=2, rpcs=_rpcs(5))
    assert with_points.same_as(GeoGrid(height=2, width=2, gcps=points))
    assert not with_points.same_as(GeoGrid(height=2, width=2, gcps=points[:1]))
    assert with_coefficients.same_as(GeoGrid(height=2, width=2, rpcs=_rpcs(5)))
    assert not with_coefficients.same_as(GeoGrid(height=2, width=2, rpcs=_rpcs(6)))
    assert not with_coefficients.same_as(GeoGrid(height=2, width=2))


def test_part_of_a_rotated_grid_keeps_its_place() -> None:
    grid = _grid(32633, Affine(0.4, 0.3, 5e5, 0.3, -0.4, 5e6))
    part = grid.for_window(Window(row=10, col=20, height=5, width=6))
    assert (part.height, part.width) == (5, 6)
    assert part.transform.c == pytest.approx(5e5 + 0.4 * 20 + 0.3 * 10)
    assert part.transform.f == pytest.approx(5e6 + 0.3 * 20 - 0.4 * 10)


def test_part_moves_control_points_and_coefficients_but_no_missing_transform() -> None:
    grid = GeoGrid(height=50, width=50, gcps=(GroundControlPoint(7, 9, 1, 2, 3),), rpcs=_rpcs(5))
    part = grid.for_window(Window(row=2, col=4, height=8, width=8))
    assert (part.gcps[0].row, part.gcps[0].col, part.gcps[0].x) == (5, 5, 1)
    assert part.rpcs is not None
    assert (part.rpcs.line_off, part.rpcs.samp_off) == (3, 5)
    assert part.transform.is_identity


def test_bounds_hold_all_corners_of_a_south_up_grid() -> None:
    grid = _grid(4326, Affine(0.1, 0, 10, 0, 0.1, -5))
    assert grid.bounds == MapBounds(left=10, bottom=-5, right=20, top=5)


def test_window_of_a_box_covers_it_and_stays_in_the_grid(utm_grid: GeoGrid) -> None:
    box = MapBounds(left=5e5 + 1.2, bottom=5e6 - 2.0, right=5e5 + 999, top=5e6 - 1.0)
    assert utm_grid.window_of(box) == Window(row=2, col=2, height=2, width=88)


def test_window_of_a_box_in_another_crs(utm_grid: GeoGrid) -> None:
    box = MapBounds(left=14.9, bottom=45.0, right=15.1, top=45.2)
    assert utm_grid.window_of(box, crs=CRS.from_epsg(4326)) == utm_grid.window


def test_box_elsewhere_is_refused_with_both_boxes(utm_grid: GeoGrid) -> None:
    box = MapBounds(left=0, bottom=0, right=1, top=1)
    with pytest.raises(OptionError, match=r"\(0, 0, 1, 1\) do not touch the scene \(500000, "):
        utm_grid.window_of(box)


def test_box_needs_a_transform() -> None:
    box = MapBounds(left=0, bottom=0, right=1, top=1)
    with pytest.raises(OptionError, match="bounds need a scene with a transform"):
        GeoGrid(height=2, width=2).window_of(box)


def test_empty_grids_are_refused() -> None:
    with pytest.raises(OptionError, match="cannot be 0 x 5 px; give sides of 1 or more"):
        GeoGrid(height=5, width=0)


@pytest.mark.parametrize(
    ("grid", "text"),
    [
        (_grid(32633, Affine(0.5, 0, 5e5, 0, -0.5, 5e6)), "100 x 100 px, EPSG:32633, 0.5 m"),
        (_grid(4326, Affine(1, 0, 0, 0, -1, 50)), "100 x 100 px, EPSG:4326, 110.9 km"),
        (_grid(None, Affine(1, 0, 5, 0, -1, 50)), "100 x 100 px, no CRS"),
        (GeoGrid(height=1, width=1, rpcs=_rpcs(5)), "1 x 1 px, rational polynomial coefficients"),
        (
            GeoGrid(height=1, width=1, gcps=(GroundControlPoint(0, 0, 1, 2),)),
            "1 x 1 px, 1 ground control points (no CRS)",
        ),
    ],
)
def test_description_names_size_reference_and_distance(grid: GeoGrid, text: str) -> None:
    assert grid.describe() == text
