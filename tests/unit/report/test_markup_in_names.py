"""Names of classes and scenes are text, whatever signs they have."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from rsmamba.classes import ClassScheme, is_control
from rsmamba.errors import OptionError
from rsmamba.geo.sidecar import write_sidecar
from rsmamba.geo.vector_output import write_vectors
from rsmamba.models.model_header import read_header
from rsmamba.report.beside import Beside, write_beside_batch
from rsmamba.report.overview import Row

NAMES = (
    "<script>alert(1)</script>",
    "\"' onmouseover='alert(2)' & &lt; ",
    "]]></label><!-- -->",
    "'); DROP TABLE classes; --",
    "=HYPERLINK(0)",
    "<b>" * 66,
    "\u202etxt.exe \u4e2d\U0001f600",
)
CLASSES = ClassScheme.from_names(NAMES)
# Signs that every file system of Linux takes; a name may have 255 bytes.
SCENES = (
    "<img src=x onerror=alert(3)>.tif",
    "a\"b'c&amp;d.tif",
    "two\nlines\r\x1b[31m.tif",
    "n" * 230 + ".tif",
    # A byte that is no UTF-8, as Python tells of it.
    "a\udcff.tif",
)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.titles: list[str | None] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.titles += [value for name, value in attrs if name == "title"]

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data


def make_map(path: Path) -> Path:
    """A class map with a column of each class."""
    classes = np.repeat(np.arange(len(NAMES), dtype=np.uint8), 4)[None].repeat(8, axis=0)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "crs": "EPSG:32633"}
    profile |= {"height": 8, "width": classes.shape[1], "transform": from_origin(5e5, 5e6, 2, 2)}
    with rasterio.open(path, "w", photometric="PALETTE", **profile) as file:
        file.write(classes, 1)
        colours = enumerate(CLASSES.colours)
        file.write_colormap(1, {index: (*colour, 255) for index, colour in colours})
        file.update_tags(RSMAMBA_MODEL="<i>m</i>", RSMAMBA_MODEL_HASH="0", RSMAMBA_INPUT=SCENES[0])
    write_sidecar(path, classes=CLASSES, counts=[32] * len(NAMES))
    return path


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch whose scenes have bad names, one of them without a map."""
    folder = tmp_path_factory.mktemp("maps <b> & co")
    rows = [
        Row(scene=f"in/{name}", out=make_map(folder / f"{number} <u>&'.tif"), status="done")
        for number, name in enumerate(SCENES)
    ]
    rows.append(Row(scene=SCENES[2], out=folder / "x.tif", status="failed", reason=SCENES[0]))
    wanted = Beside(stac=True, qml=True, overview=True)
    assert not write_beside_batch(folder, rows, wanted, model=read_header("default"))
    return folder


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".geojson"])
def test_vectors_hold_names_as_they_are(tmp_path: Path, suffix: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    pytest.importorskip("pyarrow")
    path = write_vectors(
        tmp_path / f"a & <b>'{suffix}", class_map=make_map(tmp_path / "map.tif"), classes=CLASSES
    )
    read = geopandas.read_parquet if suffix == ".parquet" else geopandas.read_file
    table = read(path).sort_values("class")
    assert tuple(table["name"]) == NAMES
    assert len(table) == len(NAMES)


def test_a_page_has_names_as_text_only(batch: Path) -> None:
    page = Page((batch / "overview.html").read_text(encoding="utf-8"))
    assert not page.tags & {"script", "b", "i", "u", "label"}
    assert not {name for name in page.attributes if name.startswith("on")}
    said = page.text + "".join(title or "" for title in page.titles)
    assert all(name.strip() in said for name in NAMES)
    assert SCENES[0] in page.text
    assert SCENES[3] in page.text


def test_a_page_has_no_control_signs(batch: Path) -> None:
    content = (batch / "overview.html").read_text(encoding="utf-8")
    assert not set(filter(is_control, content)) - {"\n"}
    assert "a?.tif" in content
    assert "two?lines??[31m.tif" in content


def test_a_style_has_names_as_labels(batch: Path) -> None:
    text = (batch / "0 <u>&'.qml").read_text(encoding="utf-8")
    root = ET.fromstring(text.split("\n", 1)[1])
    assert tuple(entry.get("label") for entry in root.iter("paletteEntry")) == NAMES
    assert not list(root.iter("script"))


def test_an_item_has_names_as_text(batch: Path) -> None:
    item: dict[str, Any] = json.loads((batch / "0 <u>&'.json").read_text(encoding="utf-8"))
    classes = item["assets"]["classes"]["classification:classes"]
    assert tuple(one["title"] for one in classes) == NAMES
    assert all(one["name"].replace("_", "").replace("-", "").isalnum() for one in classes)
    assert item["properties"]["rsmamba:model"] == "<i>m</i>"


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31m", "n" * 201, "\ud800"])
def test_names_that_are_no_line_of_text_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="control characters or more than 200 characters; give a"):
        ClassScheme.from_names(["a", name])
