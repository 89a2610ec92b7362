"""``rsmamba batch`` as a user runs it."""

import json
import shutil
from pathlib import Path

import pytest

from rsmamba.cli.app import run

SMALL = [
    "--window",
    "0,0,64,48",
    "--tile",
    "64",
    "--overlap",
    "8",
    "--ignore-gsd",
    "--device",
    "cpu",
]


@pytest.fixture
def imagery(sample_data: Path, tmp_path: Path) -> Path:
    """A folder with a good scene and a bad one."""
    folder = tmp_path / "imagery"
    folder.mkdir()
    shutil.copy(sample_data / "town_rgb.tif", folder / "good.tif")
    (folder / "bad.tif").write_text("no raster")
    return folder


def test_a_batch_tells_what_became_of_each_scene(
    imagery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = imagery.parent / "maps"
    assert run(["batch", str(imagery), "--out", str(out), *SMALL]) == 1
    text = capsys.readouterr()
    assert "done     1" in text.out
    assert "bad.tif is not a raster that GDAL can read" in text.out
    assert run(["batch", str(imagery), "--out", str(out), *SMALL, "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert [scene["status"] for scene in summary["scenes"]] == ["failed", "skipped"]


def test_a_batch_that_cannot_begin_is_one_line(
    imagery: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["batch", str(imagery), "--out", str(imagery.parent), "--name", "{date}.tif"]) == 2
    assert "unknown field {date}" in capsys.readouterr().err
