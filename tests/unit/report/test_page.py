"""The web page: whole, self-contained and, in a real browser, alive."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from rsmamba.errors import OptionError, OutputExistsError
from rsmamba.evaluation import AccuracyReport
from rsmamba.report import page, write_page
from rsmamba.report.images import error_palette, indexed_png

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Outline(HTMLParser):
    """Collects what a page refers to, and whether its tags are closed."""

    VOID = frozenset({"meta", "img", "input", "br", "line", "rect", "circle", "path", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note addresses and remember what has to be closed."""
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the last one is closed."""
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_needs_no_other_file(page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert all(address.startswith(("data:image/", "#scene=")) for address in outline.addresses)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_names_are_escaped(page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    assert "area5&lt;b&gt;&amp;map" in text
    assert "area5<b>" not in text.split('id="scenes">')[0]


@pytest.mark.parametrize(
    "title",
    [
        "Protocol stamp",
        "Where the errors are",
        "Worst tiles",
        "Classes",
        "Confusion matrix",
        "Boundary erosion",
        "Calibration",
        "Class areas",
        "Scenes",
    ],
)
def test_sections_are_there(page_path: Path, title: str) -> None:
    assert f"<h2>{title}</h2>" in page_path.read_text(encoding="utf-8")


def test_numbers_on_the_page_are_the_reports(report: AccuracyReport, page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    assert f"<b>{100 * report.overall_accuracy:.2f} %</b>" in text
    assert f"<b>{report.kappa:.4f}</b>" in text
    assert f"scored {report.tally.counted:,} px once each" in text
    for count in report.counts.ravel().tolist():
        assert f"<td>{count:,}</td>" in text
    assert "0 of 17 test tiles of geoseg on vaihingen; missing 2, 4" in text


def test_without_pictures_there_is_no_viewer(report: AccuracyReport) -> None:
    from dataclasses import replace

    tiles = tuple(replace(tile, picture=None) for tile in report.worst_tiles)
    text = page(replace(report, pictures=(), worst_tiles=tiles, intervals=None, curve=()))
    assert "Where the errors are" not in text
    assert "data:image" not in text
    assert "Boundary erosion" not in text
    Outline().feed(text)


def test_pictures_keep_their_indices() -> None:
    """What is encoded can be read back, colour by colour."""
    import base64
    import io

    indices: NDArray[np.uint8] = np.array([[0, 1], [254, 255]], np.uint8)
    address = indexed_png(indices, error_palette())
    stored = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")
    colours = np.asarray(stored).astype(int)
    assert colours[0, 0].tolist() == [222, 230, 222]
    assert colours[1, 0].tolist() == [196, 0, 40]
    assert colours[1, 1].tolist() == [255, 255, 255]
    assert colours[0, 1, 1] < 200


def test_existing_pages_are_kept(report: AccuracyReport, page_path: Path) -> None:
    before = page_path.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already; give another name or --overwrite"):
        write_page(report, page_path)
    with pytest.raises(OptionError, match=r"ends in .txt; give a name that ends in .html"):
        write_page(report, page_path.with_suffix(".txt"))
    assert page_path.read_bytes() == before
    assert [path.name for path in page_path.parent.iterdir()] == ["report.html"]


def in_browser(page_path: Path, script: str, *, address: str = "") -> tuple[str, str]:
    """Run a script after the page's own; return the title that it sets, and the console."""
    copy = page_path.with_name("probe.html")
    text = page_path.read_text(encoding="utf-8").replace(
        "</body>", f"<script>{script}</script></body>"
    )
    copy.write_text(text, encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--dump-dom"]
    # Timers run out before the page is dumped, however slow the machine is.
    words.append("--virtual-time-budget=5000")
    try:
        done = subprocess.run(
            [str(CHROMIUM), *words, "--enable-logging=stderr", f"{copy.as_uri()}{address}"],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    finally:
        copy.unlink()
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return (title[1] if title else ""), console


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_viewer_works_in_a_browser(page_path: Path) -> None:
    """No console message; the slider uncovers, buttons zoom, links lead to their place."""
    script = """
    const at = (name) => document.getElementById(name), seen = [];
    const scale = () => at("left").querySelector("img").style.transform.match(/scale\\((.*)\\)/)[1];
    seen.push(at("right").style.clipPath);
    at("swipe").value = 20; at("swipe").dispatchEvent(new Event("input"));
    seen.push(at("right").style.clipPath, at("divider").style.left);
    const before = Number(scale()); at("zoom-in").click();
    seen.push((Number(scale()) / before).toFixed(2));
    seen.push(at("mark").hidden);
    document.querySelector("a.place").click();
    setTimeout(() => { seen.push(at("mark").hidden,
      at("left").querySelector("img").naturalWidth, at("left-layer").value);
      document.title = seen.join("|"); }, 50);
    """
    title, console = in_browser(page_path, script)
    assert console == ""
    expected = "inset(0px 0px 0px 50%)|inset(0px 0px 0px 20%)|20%|1.50|true|false|400|image"
    assert title == expected


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_an_address_opens_its_place(page_path: Path) -> None:
    """The second scene, with the tile in the middle of the stage."""
    script = """
    const stage = document.getElementById("stage"), mark = document.getElementById("mark");
    const box = mark.getBoundingClientRect(), room = stage.getBoundingClientRect();
    document.title = [document.getElementById("scene").value,
      Math.round(box.left + box.width / 2 - room.left - room.width / 2),
      Math.round(box.top + box.height / 2 - room.top - room.height / 2)].join("|");
    """
    title, console = in_browser(page_path, script, address="#scene=1&row=64&col=128&size=64")
    assert (title, console) == ("1|0|0", "")
