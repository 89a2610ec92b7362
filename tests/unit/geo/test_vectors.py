"""Vector labels: burnt as a raster would hold them, whatever the windows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.warp import transform_geom

from rsmamba.errors import DataError, MissingPackageError, SceneError
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.vectors import BurntLabels, read_features
from rsmamba.geo.window import Window

NAMES = ("land", "water")
WriteJson = Callable[..., Path]


def box(left: float, top: float, side: float) -> dict[str, Any]:
    """A square in the metres of the grid's corner, east and south."""
    west, north = 5e5 + left, 5e6 - top
    ring = [(0, 0), (side, 0), (side, -side), (0, -side), (0, 0)]
    return {"type": "Polygon", "coordinates": [[(west + x, north + y) for x, y in ring]]}


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    """Write features as GeoJSON, in degrees as the standard wants."""

    def write(*features: tuple[dict[str, Any], object], name: str = "labels.geojson") -> Path:
        shapes = transform_geom("EPSG:32633", "EPSG:4326", [shape for shape, _ in features])
        members = [
            {"type": "Feature", "geometry": shape, "properties": {"class": label}}
            for shape, (_, label) in zip(shapes, features, strict=True)
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": members}))
        return path

    return write


def index_of(label: object) -> int | None:
    return NAMES.index(str(label)) if label in NAMES else None


def burnt(path: Path, grid: GeoGrid) -> BurntLabels:
    return BurntLabels.open(path, field="class", index_of=index_of, grid=grid)


def test_polygons_hold_the_pixels_whose_centre_is_inside(
    write_json: WriteJson, utm_grid: GeoGrid
) -> None:
    """Half a metre a pixel; the later feature wins."""
    path = write_json((box(5, 5, 10.01), "land"), (box(10, 10, 3.01), "water"))
    labels = burnt(path, utm_grid).read(utm_grid.window)
    expected = np.full((70, 90), 255)
    expected[10:30, 10:30], expected[20:26, 20:26] = 0, 1
    assert np.array_equal(labels, expected)


def test_windows_join_to_the_whole(write_json: WriteJson, utm_grid: GeoGrid) -> None:
    shapes = [(box(3.3 * k, 2.7 * k, 7.1), NAMES[k % 2]) for k in range(9)]
    labels = burnt(write_json(*shapes), utm_grid)
    whole = labels.read(utm_grid.window)
    for row in range(0, 70, 16):
        for col in range(0, 90, 16):
            window = Window(row=row, col=col, height=min(16, 70 - row), width=min(16, 90 - col))
            assert np.array_equal(labels.read(window), whole[window.slices])
    assert labels.read(Window(row=0, col=80, height=5, width=5)).min() == 255


def test_a_point_labels_one_pixel(write_json: WriteJson, utm_grid: GeoGrid) -> None:
    point = {"type": "Point", "coordinates": (5e5 + 10.2, 5e6 - 3.7)}
    labels = burnt(write_json((point, "water")), utm_grid)
    found = labels.read(utm_grid.window)
    assert np.argwhere(found != 255).tolist() == [[7, 20]]
    assert (labels.num_points, labels.num_features) == (1, 1)


def test_other_formats_equal_geojson(
    write_json: WriteJson, utm_grid: GeoGrid, tmp_path: Path
) -> None:
    """GeoPackage and shapefile through geopandas, in the CRS of the grid."""
    geopandas = pytest.importorskip("geopandas")
    path = write_json((box(5, 5, 10.01), "land"), (box(10, 10, 3.01), "water"))
    expected = burnt(path, utm_grid).read(utm_grid.window)
    frame = geopandas.read_file(path).to_crs("EPSG:32633")
    for name in ("labels.gpkg", "labels.shp"):
        frame.to_file(tmp_path / name)
        assert np.array_equal(burnt(tmp_path / name, utm_grid).read(utm_grid.window), expected)


def test_a_missing_reader_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, utm_grid: GeoGrid
) -> None:
    (tmp_path / "labels.gpkg").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "geopandas", None)
    with pytest.raises(MissingPackageError, match=r'pip install "rsmamba\[vector\]"'):
        burnt(tmp_path / "labels.gpkg", utm_grid)


def test_unknown_classes_are_refused(write_json: WriteJson, utm_grid: GeoGrid) -> None:
    path = write_json((box(5, 5, 9), "land"), (box(5, 5, 9), "lava"))
    with pytest.raises(DataError, match=r"feature 1 of .* has the class 'lava', which is no class"):
        burnt(path, utm_grid)


def test_features_elsewhere_are_refused(write_json: WriteJson, utm_grid: GeoGrid) -> None:
    with pytest.raises(DataError, match=r"no feature of .* touches 90 x 70 px, EPSG:32633"):
        burnt(write_json((box(500, 500, 9), "land")), utm_grid)


def test_a_grid_without_place_is_refused(write_json: WriteJson) -> None:
    path = write_json((box(5, 5, 9), "land"))
    with pytest.raises(DataError, match=r"holds vectors and the raster has no transform"):
        burnt(path, GeoGrid(height=9, width=9))


def test_the_attribute_is_named(write_json: WriteJson) -> None:
    path = write_json((box(5, 5, 9), "land"))
    with pytest.raises(DataError, match=r"has no attribute 'kind'; it has class: name the one"):
        read_features(path, field="kind")


def test_files_without_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(DataError, match=r"has no features; give a file with labelled geometries"):
        read_features(path, field="class")


@pytest.mark.parametrize(
    "content", ["{", "hello", "[]", '{"type": "Feature"}', '{"features": [{}]}']
)
def test_broken_geojson_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.geojson"
    path.write_text(content)
    with pytest.raises(
        SceneError, match=r"cannot be read as GeoJSON: .*; give a FeatureCollection"
    ):
        read_features(path, field="class")


def test_broken_files_of_other_formats_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    path = tmp_path / "broken.gpkg"
    path.write_bytes(b"SQLite format 3\0nothing")
    with pytest.raises(SceneError, match=r"broken.gpkg cannot be read as vectors: .*copy it again"):
        read_features(path, field="class")


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"vector file .*labels.gpkg does not exist"):
        read_features(tmp_path / "labels.gpkg", field="class")


def write_as_is(path: Path, *geometries: object, crs: object = None) -> Path:
    """Write a collection of one class whose geometries may be anything."""
    members = [{"geometry": shape, "properties": {"class": "land"}} for shape in geometries]
    path.write_text(json.dumps({"features": members} | ({"crs": crs} if crs else {})))
    return path


UTM = {"type": "name", "properties": {"name": "EPSG:32633"}}


def test_empty_geometries_are_left_out(tmp_path: Path, utm_grid: GeoGrid) -> None:
    empty = {"type": "Polygon", "coordinates": []}
    path = write_as_is(tmp_path / "a.geojson", empty, None, box(5, 5, 3), crs=UTM)
    labels = burnt(path, utm_grid)
    assert labels.num_features == 1
    assert (labels.read(utm_grid.window) == 0).sum() == 36


def test_a_file_of_empty_geometries_has_no_features(tmp_path: Path) -> None:
    path = write_as_is(tmp_path / "a.geojson", {"type": "MultiPolygon", "coordinates": []}, None)
    with pytest.raises(DataError, match="has no features"):
        read_features(path, field="class")


def test_what_is_no_geometry_is_told_with_its_number(tmp_path: Path, utm_grid: GeoGrid) -> None:
    path = write_as_is(tmp_path / "a.geojson", None, box(0, 0, 5), {"type": "Polygon"}, crs=UTM)
    with pytest.raises(DataError, match=r"feature 2 of .* has no list of coordinates of a Polygon"):
        burnt(path, utm_grid)


def test_metres_without_a_crs_are_told(tmp_path: Path, utm_grid: GeoGrid) -> None:
    """GeoJSON without a CRS is longitude and latitude, which 500000 is not."""
    path = write_as_is(tmp_path / "a.geojson", box(0, 0, 5))
    with pytest.raises(DataError, match=r"from OGC:CRS84 to EPSG:32633 .*; check the CRS"):
        burnt(path, utm_grid)


def test_empty_polygons_of_other_formats_are_left_out(tmp_path: Path, utm_grid: GeoGrid) -> None:
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    shapes = [shapely.Polygon(), shapely.box(5e5, 5e6 - 5, 5e5 + 5, 5e6)]
    frame = geopandas.GeoDataFrame({"class": ["land", "water"]}, geometry=shapes, crs=32633)
    frame.to_file(tmp_path / "a.gpkg")
    labels = burnt(tmp_path / "a.gpkg", utm_grid).read(utm_grid.window)
    assert np.unique(labels).tolist() == [1, 255]


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.geojson"
    path.write_text("[" * 100_000)
    with pytest.raises(SceneError, match=r"cannot be read as GeoJSON: maximum recursion depth"):
        read_features(path, field="class")


def test_several_layers_are_refused(write_json: WriteJson, tmp_path: Path) -> None:
    """But a table beside the layer, as QGIS writes for its styles, is none."""
    geopandas, pandas, pyogrio = map(pytest.importorskip, ("geopandas", "pandas", "pyogrio"))
    frame = geopandas.read_file(write_json((box(5, 5, 9), "land")))
    path = tmp_path / "labels.gpkg"
    frame.to_file(path, layer="labels")
    pyogrio.write_dataframe(pandas.DataFrame({"style": ["x"]}), path, layer="layer_styles")
    assert len(read_features(path, field="class")[0]) == 1
    frame.to_file(path, layer="more")
    with pytest.raises(DataError, match=r"has 2 layers with geometries: labels, more; give a file"):
        read_features(path, field="class")
