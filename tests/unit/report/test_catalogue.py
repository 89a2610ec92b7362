"""STAC items, QGIS styles and the overview of a batch, from maps on disk."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin
from torch import nn

from rsmamba import SceneModel, predict
from rsmamba.errors import DataError, OutputExistsError
from rsmamba.models.model_header import read_header
from rsmamba.report import stac
from rsmamba.report.beside import Beside, write_beside_batch, write_beside_map
from rsmamba.report.maps import MapFacts, footprint, read_map, thumbnail
from rsmamba.report.overview import Row, write_overview
from rsmamba.report.qgis import style, write_style

NAMES = ["low & <b>", "high\u00e9"]


class Halves(nn.Module):
    """Class 1 where the first band is above 100."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Score (B, 1, H, W) by (B, 2, H, W)."""
        return torch.cat([100 - image, image - 100], dim=1)


def make_map(folder: Path, name: str = "map", **profile: Any) -> Path:  # noqa: ANN401 - rasterio's
    """Predict a scene of 30 x 40 pixels, a quarter of them above 100."""
    folder.mkdir(exist_ok=True, parents=True)
    values = np.full((1, 30, 40), 50, np.uint8)
    values[:, :, :10] = 200
    grid = {"crs": "EPSG:32633", "transform": from_origin(5e5, 5e6, 2, 2)} | profile
    size = {"height": 30, "width": 40, "count": 1, "dtype": "uint8", "driver": "GTiff"}
    with rasterio.open(folder / f"{name}_scene.tif", "w", **size, **grid) as file:
        file.write(values)
    model = SceneModel(Halves(), classes=NAMES, in_channels=1, name="halves")
    out = folder / f"{name}.tif"
    predict(folder / f"{name}_scene.tif", out, model=model, device="cpu", overlap=0, margin=0)
    return out


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> MapFacts:
    """A map."""
    return read_map(make_map(tmp_path_factory.mktemp("maps")))


def check_core(content: dict[str, Any], kind: str) -> None:
    """Validate with pystac and the schemas that it brings."""
    pystac = pytest.importorskip("pystac")
    validation = pytest.importorskip("pystac.validation.stac_validator")
    pytest.importorskip("jsonschema")
    validation.JsonSchemaSTACValidator().validate_core(
        content, getattr(pystac.STACObjectType, kind), stac.VERSION
    )


def test_a_map_tells_of_itself(facts: MapFacts) -> None:
    assert facts.classes.names == tuple(NAMES)
    assert (facts.counts, facts.shares) == ((900, 300), (0.75, 0.25))
    assert (facts.height, facts.width, facts.tags["model"]) == (30, 40, "halves")
    assert facts.options["overlap"] == 0


def test_item_is_valid_and_says_where_and_what(facts: MapFacts) -> None:
    content = stac.item(facts, extra={"quicklook": facts.path.with_name("a.png")})
    check_core(content, "ITEM")
    longitudes = {round(longitude, 2) for longitude, _ in content["geometry"]["coordinates"][0]}
    assert longitudes == {15.0}
    assert content["bbox"][1] == pytest.approx(45.15, abs=0.02)
    assert content["properties"]["proj:code"] == "EPSG:32633"
    assert content["properties"]["proj:transform"] == [2, 0, 5e5, 0, -2, 5e6]
    assert content["assets"]["quicklook"]["href"] == "./a.png"
    classes = content["assets"]["classes"]["classification:classes"]
    assert [entry["name"] for entry in classes] == ["low_b", "high"]
    assert [entry["title"] for entry in classes] == NAMES
    assert [entry["count"] for entry in classes] == [900, 300]
    assert stac.MLM not in content["stac_extensions"]


def test_item_tells_of_the_model(facts: MapFacts) -> None:
    content = stac.item(facts, model=read_header("default"))
    check_core(content, "ITEM")
    assert stac.MLM in content["stac_extensions"]
    properties = content["properties"]
    needed = ("name", "architecture", "framework", "tasks", "input", "output")
    assert {f"mlm:{name}" for name in needed} <= set(properties)
    assert properties["mlm:input"][0]["input"]["shape"] == [-1, 3, 512, 512]
    assert len(properties["mlm:output"][0]["classification:classes"]) == 5
    assert content["assets"]["model"]["roles"] == ["mlm:model"]
    assert content["assets"]["model"]["mlm:artifact_type"] == "safetensors"


def test_map_without_a_crs_has_no_outline(tmp_path: Path) -> None:
    facts = read_map(make_map(tmp_path, crs=None))
    content = stac.item(facts)
    assert content["geometry"] is None
    assert "bbox" not in content
    check_core(content, "ITEM")


@pytest.mark.parametrize(
    ("crs", "left", "size"),
    [("EPSG:4326", 179.9, 0.01), ("EPSG:4326", -180.1, 0.01), ("EPSG:32660", 820_000, 1000)],
)
def test_map_across_the_antimeridian(tmp_path: Path, crs: str, left: float, size: float) -> None:
    grid = {"crs": crs, "transform": from_origin(left, 10, size, size)}
    content = stac.item(read_map(make_map(tmp_path, **grid)))
    assert content["geometry"]["type"] == "MultiPolygon"
    west, _, east, _ = content["bbox"]
    assert 179.5 < west < 180
    assert -180 < east < -179.5
    check_core(content, "ITEM")


def test_map_that_ends_at_the_antimeridian(tmp_path: Path) -> None:
    grid = {"crs": "EPSG:4326", "transform": from_origin(179.6, 10, 0.01, 0.01)}
    content = stac.item(read_map(make_map(tmp_path, **grid)))
    assert content["geometry"]["type"] == "Polygon"
    assert content["bbox"][::2] == pytest.approx([179.6, 180.0])


def test_names_of_classes_become_different_short_ones() -> None:
    found = stac.class_objects(["a b", "a_b", "\u6c34"], [(0, 0, 0)] * 3)
    assert [entry["name"] for entry in found] == ["a_b", "a_b_1", "class_2"]


def test_style_names_and_colours_every_class(facts: MapFacts) -> None:
    path = write_style(facts)
    assert path == facts.path.with_suffix(".qml")
    root = ET.fromstring(path.read_text().split("\n", 1)[1])
    entries = list(root.iter("paletteEntry"))
    assert [entry.get("label") for entry in entries] == NAMES
    red, green, blue = facts.classes.colours[1]
    assert entries[1].get("color") == f"#{red:02x}{green:02x}{blue:02x}"
    assert style(facts.classes).startswith("<!DOCTYPE qgis")


def test_batch_gets_items_styles_collection_and_overview(tmp_path: Path) -> None:
    paths = [make_map(tmp_path / folder) for folder in ("a", "b")]
    rows = [Row(scene=f"{path}", out=path, status="done") for path in paths]
    rows += [Row(scene="<script>", out=tmp_path / "c.tif", status="failed", reason="bad <i>")]
    wanted = Beside(stac=True, qml=True, overview=True)
    for _ in range(2):
        assert not write_beside_batch(tmp_path, rows, wanted, model=read_header("default"))
    content = json.loads((tmp_path / "collection.json").read_text())
    check_core(content, "COLLECTION")
    assert [link["href"] for link in content["links"][1:]] == ["./a/map.json", "./b/map.json"]
    item = json.loads((tmp_path / "b" / "map.json").read_text())
    assert (item["id"], item["collection"]) == ("b_map", tmp_path.name)
    assert item["links"][0]["href"] == "../collection.json"
    check_core(item, "ITEM")
    page = (tmp_path / "overview.html").read_text()
    assert "<script>" not in page
    assert "bad &lt;i&gt;" in page
    assert "low &amp; &lt;b&gt;" in page
    assert page.count("data:image/png") == 2
    assert "1,800 px" in page
    assert "http" not in page.replace("http-equiv", "")
    assert not list(tmp_path.rglob("*.part"))


def test_a_broken_map_stops_no_other(tmp_path: Path) -> None:
    good, bad = make_map(tmp_path), tmp_path / "bad.tif"
    bad.write_bytes(b"no map")
    rows = [Row(scene="s", out=path, status="skipped") for path in (bad, good)]
    wanted = Beside(stac=True, overview=True)
    problems = write_beside_batch(tmp_path, rows, wanted, model=read_header("default"))
    assert problems == [f"class map {bad} cannot be read; predict it again"]
    assert (tmp_path / "map.json").exists()
    assert "cannot be read" in (tmp_path / "overview.html").read_text()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    path = make_map(tmp_path)
    (tmp_path / "map.json").write_text("{}")
    with pytest.raises(
        OutputExistsError, match=r"map\.json exists already and is not from rsmamba"
    ):
        write_beside_map(path, Beside(stac=True), model=read_header("default"), extra={})
    (tmp_path / "overview.html").mkdir()
    with pytest.raises(OutputExistsError, match=r"overview\.html exists already"):
        write_overview(tmp_path / "overview.html", [])


def test_map_that_takes_the_name_of_the_collection(tmp_path: Path) -> None:
    path = make_map(tmp_path, "collection")
    rows = [Row(scene="s", out=path, status="done")]
    problems = write_beside_batch(tmp_path, rows, Beside(stac=True), model=read_header("default"))
    assert "would take the name of the collection" in problems[0]


def test_other_rasters_are_no_maps(facts: MapFacts) -> None:
    with pytest.raises(DataError, match=r"is not a class map of rsmamba with its \.aux\.xml"):
        read_map(facts.path.with_name("map_scene.tif"))


def test_thumbnails_are_small(facts: MapFacts) -> None:
    assert thumbnail(facts.path, side=20).shape == (15, 20)
    assert thumbnail(facts.path, side=500).shape == (30, 40)
    assert footprint(facts) is not None
