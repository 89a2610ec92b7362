"""``rsmamba batch --mosaic`` as a user runs it."""

import json
from pathlib import Path
from typing import Any

import pytest
import rasterio
from rasterio.windows import Window

from rsmamba.cli.app import run

SMALL = ["--tile", "64", "--overlap", "8", "--ignore-gsd", "--device", "cpu"]


@pytest.fixture
def imagery(sample_data: Path, tmp_path: Path) -> Path:
    """Two scenes that overlap, and one that is none."""
    folder = tmp_path / "imagery"
    folder.mkdir()
    with rasterio.open(sample_data / "town_rgb.tif") as town:
        for number, col in enumerate((0, 40)):
            window = Window(col, 0, 64, 48)
            profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": town.crs}
            profile |= {"height": 48, "width": 64, "transform": town.window_transform(window)}
            with rasterio.open(folder / f"s{number}.tif", "w", **profile) as file:
                file.write(town.read(window=window))
    (folder / "bad.tif").write_text("no raster")
    return folder


def batch(imagery: Path, *more: str) -> list[str]:
    return ["batch", str(imagery), "--out", str(imagery.parent / "maps"), *SMALL, *more]


def summary_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def test_the_maps_that_are_done_are_joined(
    imagery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = imagery.parent / "maps" / "all.tif"
    mosaic = ["--mosaic", str(out), "--mosaic-rule", "confidence"]
    assert run(batch(imagery, *mosaic)) == 1
    text = capsys.readouterr()
    assert "all.tif: 2 of 3 scenes, rule confidence, 104 x 48 px, EPSG:32640, 0.5 m" in text.out
    assert "rule confidence needs the confidence of every map: --confidence is on" in text.err
    (imagery / "bad.tif").unlink()
    assert run(batch(imagery, *mosaic, "--json", "--qml")) == 0
    summary = summary_of(capsys)
    assert (summary["skipped"], summary["mosaic"]["status"]) == (2, "skipped")
    assert "land" in out.with_suffix(".qml").read_text()
    assert run(["info", str(out.with_suffix(".tif")), "--json"]) == 0


def test_a_second_batch_only_makes_the_mosaic(
    imagery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (imagery / "bad.tif").unlink()
    assert run(batch(imagery)) == 0
    out = imagery.parent / "maps" / "all.vrt"
    capsys.readouterr()
    assert run(batch(imagery, "--mosaic", str(out), "--mosaic-rule", "last", "--json")) == 0
    summary = summary_of(capsys)
    assert (summary["done"], summary["skipped"], summary["mosaic"]["scenes"]) == (0, 2, 2)
    assert run(["info", str(out)]) == 0
    assert "104 x 48 px" in capsys.readouterr().out


def test_maps_without_a_place_are_told(imagery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = {"driver": "PNG", "count": 3, "dtype": "uint8", "height": 48, "width": 64}
    with rasterio.open(imagery / "s0.tif") as scene:
        pixels = scene.read()
    (imagery / "bad.tif").unlink()
    with (
        pytest.warns(match="no geotransform"),
        rasterio.open(imagery / "photo.png", "w", **profile) as file,
    ):
        file.write(pixels)
    out = imagery.parent / "all.tif"
    assert run(batch(imagery, "--mosaic", str(out))) == 1
    text = capsys.readouterr().out
    assert "2 of 3 scenes" in text
    assert "not in the mosaic:" in text
    assert "it has no georeference" in text
    assert run(batch(imagery, "--mosaic", str(out))) == 1
    assert "is done: 2 of 3 scenes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mosaic-rule", "last"], "--mosaic-rule needs a mosaic; give --mosaic FILE.tif"),
        (["--mosaic", "all.tif", "--mosaic-rule", "best"], "mosaic rule 'best' is not known"),
        (["--mosaic", "{imagery}/all.tif"], "the next run would take it for a scene; give a name"),
        (["--mosaic", "{imagery}/s0.tif", "--overwrite"], "would take it for a scene"),
        (["--mosaic", "absent/all.tif"], "absent does not exist; make it first"),
        (["--mosaic", "a.vrt", "--mosaic-rule", "majority"], "a VRT cannot join by majority"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_scene(
    imagery: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "{imagery}/all.tif" in words:
        assert run(
            ["batch", f"{imagery}/*.tif", *batch(imagery)[2:], "--mosaic", f"{imagery}/g.tif"]
        )
        assert "g.tif lies in" in capsys.readouterr().err
    status = run(batch(imagery, *(word.format(imagery=imagery) for word in words)))
    assert status in {1, 2}
    assert message in capsys.readouterr().err
    assert not (imagery.parent / "maps" / "s0.tif").exists()


def test_a_mosaic_that_fails_does_not_hide_the_maps(
    imagery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene in imagery.iterdir():
        scene.write_text("no raster")
    assert run(batch(imagery, "--mosaic", str(imagery.parent / "all.tif"))) == 1
    text = capsys.readouterr()
    assert "failed   3" in text.out
    assert "mosaic   failed: no map is done, so there is nothing to join" in text.out


@pytest.mark.slow
def test_workers_leave_the_same_files_beside_the_maps(
    imagery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = imagery.parent / "maps"
    wanted = ["--stac", "--qml", "--overview", "--mosaic", str(maps / "all.tif"), "--json"]
    assert run(batch(imagery, *wanted, "--workers", "2", "--threads", "1")) == 1
    summary = summary_of(capsys)
    assert (summary["done"], summary["failed"], summary["mosaic"]["scenes"]) == (2, 1, 2)
    names = {path.name for path in maps.iterdir() if not path.name.startswith(".")}
    beside = {f"s{number}{ending}" for number in (0, 1) for ending in (".json", ".qml")}
    assert beside | {"collection.json", "overview.html", "all.tif", "all.qml"} <= names
    links = json.loads((maps / "collection.json").read_text())["links"]
    assert {"./s0.json", "./s1.json"} <= {link["href"] for link in links}
    page = (maps / "overview.html").read_text()
    assert page.count("data:image/png") == 2
    assert "bad.tif" in page
    # What is done is found beside the maps of one process, too.
    assert run(batch(imagery, *wanted)) == 1
    assert summary_of(capsys)["mosaic"]["status"] == "skipped"
