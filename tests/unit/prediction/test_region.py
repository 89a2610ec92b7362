"""Bounds, windows and areas of interest choose a part of a scene."""

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform_bounds, transform_geom
from shapely.geometry import box

from rsmamba.errors import DataError, OptionError
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.window import Window
from rsmamba.prediction import PredictConfig
from rsmamba.prediction.polygons import read_polygons
from rsmamba.prediction.region import find_region

Lab = Any
UTM = CRS.from_epsg(32633)
GRID = GeoGrid(height=100, width=200, crs=UTM, transform=Affine(2, 0, 5e5, 0, -2, 5e6))
# The pixels of rows 10 to 29 and columns 20 to 59.
PART = (500040.0, 4999940.0, 500120.0, 4999980.0)
PART_WINDOW = Window(row=10, col=20, height=20, width=40)
# West of the hole the polygon is whole.
HOLE = (500080.0, 4999950.0, 500100.0, 4999970.0)


def polygon(*, crs: str) -> dict[str, Any]:
    shape = box(*PART).difference(box(*HOLE)).__geo_interface__
    moved: dict[str, Any] = transform_geom(UTM, crs, shape)
    return moved


def feature_collection(geometry: dict[str, Any], **fields: Any) -> str:  # noqa: ANN401 - JSON
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", "features": [feature], **fields})


def expected_pixels() -> npt.NDArray[np.bool_]:
    wanted = np.zeros((100, 200), dtype=bool)
    wanted[10:30, 20:60] = True
    wanted[15:25, 40:50] = False
    return wanted


def test_nothing_asked_for_is_the_whole_scene() -> None:
    region = find_region(GRID, PredictConfig())
    assert region.window == GRID.window
    assert region.wanted(GRID.window) is None


def test_a_window_names_its_numbers_in_the_order_of_the_option() -> None:
    assert find_region(GRID, PredictConfig(window=(20, 10, 40, 20))).window == PART_WINDOW


@pytest.mark.parametrize("window", [(0, 0, 201, 1), (-1, 0, 5, 5), (199, 99, 1, 2)])
def test_a_window_outside_the_scene_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(OptionError, match=r"is not inside the scene of 200 x 100 px"):
        find_region(GRID, PredictConfig(window=window))


def test_bounds_become_the_pixels_that_they_cover() -> None:
    assert find_region(GRID, PredictConfig(bounds=PART)).window == PART_WINDOW


def test_bounds_may_be_in_another_crs() -> None:
    bounds = transform_bounds(UTM, "EPSG:4326", *PART)
    window = find_region(GRID, PredictConfig(bounds=bounds, bounds_crs="EPSG:4326")).window
    assert window.contains(PART_WINDOW)
    assert window.num_pixels < 1.3 * PART_WINDOW.num_pixels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bounds": (2.0, 0.0, 1.0, 1.0)}, "bounds 2,0,1,1 are empty; give left,bottom,right,top"),
        ({"bounds": (0.0, 0.0, 1.0, 1.0)}, "do not touch the scene"),
        ({"bounds": PART, "bounds_crs": "EPSG:x"}, "bounds_crs 'EPSG:x' is not a CRS"),
        ({"bounds": PART, "bounds_crs": "EPSG:4326"}, "have no place in the CRS of the scene"),
        ({"window": (0.5, 0, 4, 4)}, "give whole pixels"),
    ],
)
def test_parts_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        find_region(GRID, PredictConfig(**options))


def test_bounds_need_a_georeference() -> None:
    bare = GeoGrid(height=5, width=5)
    with pytest.raises(OptionError, match="bounds_crs EPSG:4326 needs a scene with a CRS"):
        find_region(bare, PredictConfig(bounds=PART, bounds_crs="EPSG:4326"))


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32633", "EPSG:3857"])
def test_polygons_choose_pixels_by_their_centre(crs: str, tmp_path: Path) -> None:
    name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{crs.replace(':', '::')}"}}
    path = tmp_path / "field.geojson"
    fields = {} if crs == "EPSG:4326" else {"crs": name}
    path.write_text(feature_collection(polygon(crs=crs), **fields), encoding="utf-8")
    region = find_region(GRID, PredictConfig(aoi=path))
    assert region.window.contains(PART_WINDOW)
    np.testing.assert_array_equal(region.wanted(GRID.window), expected_pixels())
    shifted = Window(row=12, col=33, height=9, width=50)
    np.testing.assert_array_equal(region.wanted(shifted), expected_pixels()[12:21, 33:83])


def test_other_formats_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "field.gpkg"
    geopandas.GeoSeries([box(*PART).difference(box(*HOLE))], crs="EPSG:32633").to_file(path)
    region = find_region(GRID, PredictConfig(aoi=path))
    np.testing.assert_array_equal(region.wanted(GRID.window), expected_pixels())


def test_an_area_and_a_window_meet_where_both_are(tmp_path: Path) -> None:
    path = tmp_path / "field.json"
    path.write_text(json.dumps(polygon(crs="OGC:CRS84")), encoding="utf-8")
    region = find_region(GRID, PredictConfig(aoi=path, window=(0, 0, 30, 15)))
    assert region.window == Window(row=10, col=20, height=5, width=10)
    with pytest.raises(OptionError, match="does not touch the bounds or window"):
        find_region(GRID, PredictConfig(aoi=path, window=(0, 0, 5, 5)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not GeoJSON"),
        ("[]", "is not GeoJSON"),
        ('{"type": "Point", "coordinates": [0, 0]}', "has no polygon"),
        ('{"type": "Polygon", "crs": {"properties": {"name": "moon"}}}', "CRS that is not known"),
    ],
)
def test_files_without_polygons_are_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "field.geojson"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_polygons(path, crs=UTM)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"field\.shp is not a file; give a vector file"):
        read_polygons(tmp_path / "field.shp", crs=UTM)
    (tmp_path / "field.gpkg").write_bytes(b"SQLite format 3\0, but no package")
    with pytest.raises(DataError, match="cannot be read as vectors"):
        read_polygons(tmp_path / "field.gpkg", crs=UTM)


def test_an_area_needs_a_transform(tmp_path: Path) -> None:
    path = tmp_path / "field.geojson"
    path.write_text(feature_collection(polygon(crs="EPSG:4326")), encoding="utf-8")
    with pytest.raises(OptionError, match="needs a scene with a transform"):
        find_region(GeoGrid(height=5, width=5), PredictConfig(aoi=path))


def test_only_pixels_of_the_area_get_a_class_and_only_its_tiles_are_computed(lab: Lab) -> None:
    values = np.random.default_rng(1).integers(0, 4, (1, 100, 200), dtype=np.uint8)
    area = lab.folder / "field.geojson"
    area.write_text(feature_collection(polygon(crs="EPSG:4326")), encoding="utf-8")
    options = {"model": lab.value_model(4), "tile": 20, "overlap": 0}
    result = lab.predict(lab.scene(values), aoi=area, **options)
    region = find_region(GRID, PredictConfig(aoi=area))
    expected = np.where(expected_pixels(), values, 255)[:, *region.window.slices]
    np.testing.assert_array_equal(lab.read("map.tif"), expected)
    assert result.tiles_computed == 4
    assert result.grid.same_as(GRID.for_window(region.window))
