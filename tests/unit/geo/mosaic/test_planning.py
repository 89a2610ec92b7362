"""Where maps lie in a mosaic, and which are left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, OptionError
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.mosaic.lattice import Lattice, check_resolution
from rsmamba.geo.mosaic.planning import MosaicPlan, plan_mosaic

WriteMap = Callable[..., Path]
WGS84 = "EPSG:4326"
PIXELS = np.zeros((4, 6), dtype=np.uint8)


def plan(*paths: Path, **options: Any) -> MosaicPlan:  # noqa: ANN401 - as plan_mosaic
    return plan_mosaic([(path, None) for path in paths], **options)


def degrees(left: float, top: float = 10.0, *, step: float = 0.25) -> dict[str, Any]:
    return {"transform": Affine(step, 0, left, 0, -step, top), "crs": WGS84}


def test_the_grid_is_that_of_the_first_map_grown_to_all(write_map: WriteMap) -> None:
    first = write_map(PIXELS, name="a.tif")
    second = write_map(PIXELS, name="b.tif", transform=Affine(2, 0, 5e5 - 8, 0, -2, 5e6 + 6))
    found = plan(first, second)
    assert (found.grid.height, found.grid.width) == (7, 10)
    assert tuple(found.grid.transform)[:6] == (2, 0, 5e5 - 8, 0, -2, 5e6 + 6)
    assert [(one.place.window.row, one.place.window.col) for one in found.sources] == [
        (3, 4),
        (0, 0),
    ]
    assert found.covered == pytest.approx(48 / 70)


def test_another_resolution_and_crs_have_round_edges(write_map: WriteMap) -> None:
    path = write_map(PIXELS)
    coarse = plan(path, resolution=3)
    assert tuple(coarse.grid.transform)[:6] == (3, 0, 499_998, 0, -3, 5_000_001)
    assert coarse.resampled == {"another resolution": 1}
    assert plan(path, resolution=2, crs=CRS.from_epsg(32633)).resampled == {}
    other = plan(path, crs=CRS.from_epsg(3857))
    assert other.resampled == {"another CRS": 1}
    side = other.grid.transform.a
    assert other.grid.transform.c / side == pytest.approx(round(other.grid.transform.c / side))


def test_a_rotated_first_map_gives_a_north_up_grid(write_map: WriteMap) -> None:
    found = plan(write_map(PIXELS, transform=Affine(1.6, 1.2, 5e5, 1.2, -1.6, 5e6)))
    assert found.resampled == {"not north-up": 1}
    assert tuple(found.grid.transform)[:2] == (2, 0)
    assert found.grid.transform.e == -2


@pytest.mark.parametrize("turned", [False, True])
def test_maps_on_both_sides_of_the_antimeridian_lie_side_by_side(
    write_map: WriteMap, turned: bool
) -> None:
    east = write_map(PIXELS, name="east.tif", **degrees(178.5))
    west = write_map(PIXELS, name="west.tif", **degrees(-180))
    found = plan(*((west, east) if turned else (east, west)))
    assert (found.grid.width, found.grid.transform.c) == (12, 178.5)
    assert not found.resampled


def test_a_map_across_the_antimeridian_goes_on(write_map: WriteMap) -> None:
    utm = {"transform": Affine(9e3, 0, 8e5, 0, -9e3, 2e6), "crs": "EPSG:32660"}
    found = plan(write_map(PIXELS, **utm), crs=CRS.from_epsg(4326))
    assert found.grid.bounds.left == pytest.approx(179.83, abs=0.2)
    assert found.grid.bounds.right == pytest.approx(180.34, abs=0.2)
    with pytest.raises(DataError, match=r"EPSG:3857: it lies across its edge, such as the anti"):
        plan(write_map(PIXELS, **utm), crs=CRS.from_epsg(3857))


def test_a_mosaic_around_the_world_is_not_turned(write_map: WriteMap) -> None:
    world = write_map(np.zeros((18, 36), np.uint8), name="a.tif", **degrees(-180, 90, step=10))
    west = write_map(PIXELS, name="b.tif", **degrees(-120, 50, step=10))
    assert plan(west, world).grid.bounds.left == -180


def test_maps_without_a_place_are_left_out(write_map: WriteMap, tmp_path: Path) -> None:
    good = write_map(PIXELS, name="good.tif")
    bare = write_map(PIXELS, name="bare.tif", transform=None, crs=None)
    local = write_map(PIXELS, name="local.tif", crs=None)
    points = write_map(PIXELS, name="points.tif", transform=None, crs=None)
    with no_georeference_warning(), rasterio.open(points, "r+") as file:
        corners = [(0, 0), (0, 6), (4, 0)]
        file.gcps = [GroundControlPoint(r, c, c, -r) for r, c in corners], CRS.from_epsg(32633)
    (tmp_path / "text.tif").write_text("text")
    nameless = write_map(PIXELS, name="nameless.tif")
    (tmp_path / "nameless.tif.aux.xml").unlink()
    found = plan(bare, good, local, points, tmp_path / "text.tif", nameless)
    reasons = {one.path.name: one.reason for one in found.left_out}
    assert [one.path for one in found.sources] == [good]
    assert "it has no georeference; give the scene one" in reasons["bare.tif"]
    assert "its CRS is not known; set it with" in reasons["local.tif"]
    assert "it has only ground control points; bring" in reasons["points.tif"]
    assert "text.tif cannot be read" in reasons["text.tif"]
    assert "is not one of rsmamba with its .aux.xml; predict it" in reasons["nameless.tif"]
    with pytest.raises(
        DataError, match=r"no map can be placed: .*bare.tif: it has no georef.*; 1 "
    ):
        plan(bare, points)


def test_maps_of_one_unknown_crs_are_joined_by_their_coordinates(write_map: WriteMap) -> None:
    first = write_map(PIXELS, name="a.tif", crs=None)
    second = write_map(PIXELS, name="b.tif", crs=None, transform=Affine(2, 0, 5e5 + 5, 0, -2, 5e6))
    found = plan(first, second)
    assert (found.grid.crs, found.grid.width, found.left_out) == (None, 9, ())
    assert found.resampled == {"a shifted grid": 1}


def test_maps_of_different_classes_are_refused_with_both_lists(write_map: WriteMap) -> None:
    first = write_map(PIXELS, name="a.tif")
    second = write_map(PIXELS, name="b.tif", scheme=ClassScheme.from_names(["car", "land"]))
    message = (
        r"a.tif has land, water, tree, car; .*b.tif has car, land; predict them with one model"
    )
    with pytest.raises(DataError, match=message):
        plan(first, second)


def test_absurd_sizes_are_refused_with_numbers_and_the_outermost_maps(write_map: WriteMap) -> None:
    # 10 cm at both ends of the earth.
    near = write_map(PIXELS, name="near.tif", **degrees(-100, -40, step=1e-6))
    far = write_map(PIXELS, name="far.tif", **degrees(70, 50, step=1e-6))
    message = (
        r"mosaic of 2 maps would have 170,000,006 x 90,000,004 px of 1e-06 \(EPSG:4326\), 1.5e\+16 "
        r"in all, from west to east between .*near.tif and .*far.tif; at most 1e\+13 px .*: give a "
        r"coarser --mosaic-resolution"
    )
    with pytest.raises(OptionError, match=message):
        plan(near, far)
    with pytest.raises(OptionError, match=r"10 is in degrees, since the CRS is EPSG:4326; give"):
        plan(near, far, resolution=10)


def test_a_confidence_of_another_grid_is_not_taken(write_map: WriteMap) -> None:
    path = write_map(PIXELS, confidence=np.zeros((4, 7), dtype=np.uint8))
    with pytest.raises(DataError, match=r"map_confidence.tif .* is not the confidence of a map of"):
        plan_mosaic([(path, path.with_name("map_confidence.tif"))])


@pytest.mark.parametrize("resolution", [0.0, -1.0, float("nan"), float("inf")])
def test_a_resolution_is_a_length(resolution: float) -> None:
    with pytest.raises(OptionError, match="is not a length; give one above 0, in CRS units"):
        check_resolution(resolution)


def test_a_map_that_a_crs_does_not_reach_is_left_out() -> None:
    here = GeoGrid(
        height=2, width=2, crs=CRS.from_epsg(32633), transform=Affine(1, 0, 5e5, 0, -1, 5e6)
    )
    pole = GeoGrid(
        height=2, width=2, crs=CRS.from_epsg(4326), transform=Affine(1, 0, 0, 0, -1, -89)
    )
    lattice = Lattice.choose(here, crs=CRS.from_epsg(3857))
    with pytest.raises(ValueError, match="EPSG:3857: it lies where that has no coordinates"):
        lattice.box_of(pole)
