"""Polygons as labels: burnt on the image's grid, window by window, wherever they come from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsmamba.classes import ClassScheme
from rsmamba.data import LabelledScene, LabelOptions, ScenePair
from rsmamba.errors import DataError, RsmambaError

WriteRaster = Callable[..., Path]
CLASSES = ClassScheme.from_names(["field", "lake"])
CRS = "EPSG:32632"
# The image's first pixel lies at 500000, 4000000; a pixel is 2 m.
LEFT, TOP, PIXEL = 500_000, 4_000_000, 2


def square(*, row: int, col: int, height: int, width: int) -> list[list[float]]:
    """Ring around whole pixels, in map coordinates."""
    left, top = LEFT + col * PIXEL, TOP - row * PIXEL
    right, bottom = left + width * PIXEL, top - height * PIXEL
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def write_polygons(path: Path, rings: list[tuple[list[list[float]], Any]], crs: str = CRS) -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"class": value},
        }
        for ring, value in rings
    ]
    name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{crs.replace(':', '::')}"}}
    content = {"type": "FeatureCollection", "crs": name, "features": features}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def image(write_raster: WriteRaster) -> Path:
    return write_raster("i.tif", np.ones((1, 6, 8), np.uint8), crs=CRS)


def make_scene(image: Path, mask: Path, **values: Any) -> LabelledScene:  # noqa: ANN401
    labels = LabelOptions(form="vector", attribute="class", names=CLASSES.names, **values)
    return LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES, labels=labels)


POLYGONS: list[tuple[list[list[float]], Any]] = [
    (square(row=1, col=1, height=4, width=3), 0),
    (square(row=2, col=3, height=2, width=9), 1),
]


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg"])
def test_polygons_are_burnt_and_the_later_one_counts(
    image: Path, tmp_path: Path, suffix: str
) -> None:
    mask = write_polygons(tmp_path / "m.geojson", POLYGONS)
    if suffix == ".gpkg":
        geopandas = pytest.importorskip("geopandas")
        mask = tmp_path / "m.gpkg"
        geopandas.read_file(tmp_path / "m.geojson").to_file(mask)
    expected = np.full((6, 8), 255)
    expected[1:5, 1:4], expected[2:4, 3:8] = 0, 1
    scene = make_scene(image, mask)
    assert np.array_equal(scene.read(row=0, col=0, height=6, width=8).labels, expected)
    for row in range(5):
        part = scene.read(row=row, col=2, height=2, width=3).labels
        assert np.array_equal(part, expected[row : row + 2, 2:5])
    assert scene.label_counts.tolist() == [10, 10]


def test_class_names_background_and_another_crs(image: Path, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    path = write_polygons(tmp_path / "m.geojson", [(POLYGONS[0][0], "lake")])
    moved = tmp_path / "moved.gpkg"
    geopandas.read_file(path).to_crs("EPSG:4326").to_file(moved)
    labels = make_scene(image, moved, background=0).read(row=0, col=0, height=6, width=8).labels
    expected = np.zeros((6, 8))
    expected[1:5, 1:4] = 1
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize(
    ("value", "match"),
    [("sea", "'sea'"), (1.5, "1.5"), (None, "None"), (7, "holds the label 7")],
)
def test_values_that_are_no_class_are_refused(
    image: Path, tmp_path: Path, value: object, match: str
) -> None:
    mask = write_polygons(tmp_path / "m.geojson", [(POLYGONS[0][0], value)])
    with pytest.raises(DataError, match=match):
        make_scene(image, mask)


def test_files_that_are_no_labels_are_refused(
    image: Path, tmp_path: Path, write_raster: WriteRaster
) -> None:
    mask = write_polygons(tmp_path / "m.geojson", POLYGONS)
    plain = write_raster("plain.png", np.ones((1, 6, 8), np.uint8), driver="PNG", transform=None)
    elsewhere = write_polygons(tmp_path / "far.geojson", [([[0, 0], [9, 0], [9, 9], [0, 0]], 1)])
    (tmp_path / "torn.geojson").write_text("{", encoding="utf-8")
    for first, second, match in (
        (plain, mask, "has no CRS, so that vectors cannot"),
        (image, elsewhere, "far.geojson touches"),
        (image, tmp_path / "torn.geojson", "torn.geojson cannot be read as GeoJSON"),
        (image, tmp_path / "absent.gpkg", "absent.gpkg does not exist; check the path"),
    ):
        with pytest.raises(RsmambaError, match=match):
            make_scene(first, second)
    other = LabelOptions(form="vector", attribute="kind", names=CLASSES.names)
    with pytest.raises(DataError, match=r"has no .* 'kind'; it has class"):
        LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES, labels=other)
