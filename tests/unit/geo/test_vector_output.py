"""Vector files: attributes, areas on the ellipsoid, formats, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError, OutputError, OutputExistsError
from rsmamba.geo import vector_files, vector_output
from rsmamba.geo.vector_output import check_outlines, write_vectors

geopandas = pytest.importorskip("geopandas")
pytest.importorskip("pyarrow")

UTM = ("EPSG:32633", Affine(2, 0, 5e5, 0, -2, 5e6))
DEGREES = ("EPSG:4326", Affine(2e-5, 0, 15, 0, -2e-5, 45))
NAMES = ("a", 'b "<b>" ü', "c")
Write = Callable[..., Path]


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """Three classes in blocks of 5 x 5 px, and a corner without one."""
    classes = np.random.default_rng(0).integers(0, 3, (60, 8), dtype=np.uint8)
    classes = np.kron(classes, np.ones((5, 5), dtype=np.uint8))
    classes[:10, :10] = 255
    return classes


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write polygons of a class map in strips of 32 rows, and 10 polygons at a time."""
    monkeypatch.setattr(vector_output, "_PIXELS_OF_A_STRIP", 1)
    monkeypatch.setattr(vector_output, "_FEWEST_ROWS", 32)
    monkeypatch.setattr(vector_files, "_ROWS_AT_ONCE", 10)

    def raster(name: str, values: NDArray[Any], crs: str | None, transform: Affine) -> Path:
        profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "nodata": 255}
        height, width = values.shape
        grid = {"height": height, "width": width, "crs": crs, "transform": transform}
        with rasterio.open(tmp_path / name, "w", **profile, **grid) as file:
            file.write(values, 1)
        return tmp_path / name

    def begin(
        name: str,
        values: NDArray[np.uint8],
        place: tuple[str | None, Affine] = UTM,
        **options: Any,  # noqa: ANN401 - as write_vectors
    ) -> Path:
        class_map = raster("map.tif", values, *place)
        if "scores" in options:
            options["confidence"] = raster("scores.tif", options.pop("scores"), *place)
        classes = ClassScheme(names=NAMES, colours=((0, 0, 0), (1, 1, 1), (2, 2, 2)))
        return write_vectors(tmp_path / name, class_map=class_map, classes=classes, **options)

    return begin


def table_of(path: Path) -> Any:  # noqa: ANN401 - geopandas is untyped
    return (geopandas.read_parquet if path.suffix == ".parquet" else geopandas.read_file)(path)


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".geojson"])
def test_every_format_holds_the_attributes(
    write: Write, pixels: NDArray[np.uint8], suffix: str
) -> None:
    scores = np.where(pixels == 255, 255, pixels * 100).astype(np.uint8)
    path = write(f"out{suffix}", pixels, scores=scores)
    table = table_of(path)
    assert {"class", "name", "area_m2", "confidence", "geometry"} == set(table.columns)
    assert [NAMES[index] for index in table["class"]] == list(table["name"])
    np.testing.assert_allclose(table.confidence, table["class"] * 100 / 254, rtol=1e-6)
    assert table.area_m2.sum() == pytest.approx((pixels != 255).sum() * 4)
    assert table.crs.to_epsg() == (4326 if suffix == ".geojson" else 32633)
    assert table.geometry.is_valid.all()
    assert not list(path.parent.glob(".*"))


def test_geojson_lies_where_the_map_lies(write: Write, pixels: NDArray[np.uint8]) -> None:
    table = table_of(write("out.geojson", pixels)).to_crs(UTM[0])
    np.testing.assert_allclose(table.area, table.area_m2, rtol=1e-3)
    bounds = [5e5, 5e6 - 2 * pixels.shape[0], 5e5 + 2 * pixels.shape[1], 5e6]
    np.testing.assert_allclose(table.total_bounds, bounds, atol=0.01)


def test_areas_in_degrees_are_geodesic(write: Write, pixels: NDArray[np.uint8]) -> None:
    table = table_of(write("out.gpkg", pixels, DEGREES))
    np.testing.assert_allclose(table.area_m2, table.to_crs(6933).area, rtol=1e-5)
    assert table.confidence.isna().all()


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_a_map_without_a_class_or_a_crs_is_an_empty_table(write: Write, suffix: str) -> None:
    nothing = np.full((20, 20), 255, dtype=np.uint8)
    table = table_of(write(f"out{suffix}", nothing, (None, Affine.scale(2))))
    assert len(table) == 0
    assert table.crs is None


def test_small_regions_are_dissolved_and_outlines_simplified(
    write: Write, pixels: NDArray[np.uint8]
) -> None:
    pixels[20:290:7, 3:40:9] = 1
    options: dict[str, Any] = {"min_pixels": 10, "simplify_px": 1.5}
    table = table_of(write("out.parquet", pixels, **options))
    assert len(table) < len(table_of(write("all.parquet", pixels)))
    assert table.area_m2.min() >= 10 * 4 * 0.5
    assert table.area_m2.sum() == pytest.approx(table.union_all().area)


def test_a_geojson_feature_is_plain(write: Write, pixels: NDArray[np.uint8]) -> None:
    content = json.loads(write("out.geojson", pixels).read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    assert content["features"][0]["properties"]["confidence"] is None
    assert {one["geometry"]["type"] for one in content["features"]} == {"Polygon"}


def test_what_cannot_be_written_is_refused(write: Write, pixels: NDArray[np.uint8]) -> None:
    for name in ("out.shp", "out"):
        with pytest.raises(OptionError, match=r"give a name that ends in \.gpkg, \.parquet"):
            write(name, pixels)
    with pytest.raises(OutputError, match="and the map has no CRS; give a name that ends in"):
        write("out.geojson", pixels, (None, Affine.scale(2)))
    write("out.gpkg", pixels)
    with pytest.raises(OutputExistsError, match=r"out\.gpkg exists already"):
        write("out.gpkg", pixels)


def test_a_failed_write_leaves_nothing(
    write: Write, pixels: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:  # noqa: ANN401 - as pyogrio
        message = "disk I/O error"
        raise pyogrio.errors.DataSourceError(message)

    pyogrio = pytest.importorskip("pyogrio")
    monkeypatch.setattr(pyogrio.raw, "write", fail)
    with pytest.raises(OutputError, match=r"cannot write .*out\.gpkg: disk I/O error"):
        write("out.gpkg", pixels)
    assert not list(tmp_path.glob("*out.gpkg*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"simplify_px": -1.0, "min_pixels": 1}, r"simplify -1\.0 is not a distance; give 0 px"),
        ({"simplify_px": 0.0, "min_pixels": 0}, "min_pixels 0 is not allowed; give 1 to 1000"),
    ],
)
def test_outlines_have_their_limits(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        check_outlines(**options)
