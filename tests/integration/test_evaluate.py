"""``rsmamba evaluate`` as a user meets it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from rsmamba.cli.app import run

ONE_LINE = re.compile(r"\Arsmamba: error: [^\n]+\n\Z")


@pytest.fixture
def labels(sample_data: Path) -> str:
    """Labels of the sample scene, which are a class map too."""
    return str(sample_data / "town_rgb_labels.tif")


def test_prediction_and_evaluation_from_the_shell(
    sample_data: Path, labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundled model on the sample scene, with every kind of report."""
    mask, scores = str(tmp_path / "map.tif"), str(tmp_path / "scores.tif")
    scene = str(sample_data / "town_rgb.tif")
    words = ["--probabilities", scores, "--device", "cpu", "-q"]
    assert run(["predict", scene, "--out", mask, *words]) == 0
    targets = [str(tmp_path / f"report{suffix}") for suffix in (".html", ".csv", ".pdf")]
    words = ["--image", scene, "--probabilities", scores, "--json"]
    words += ["--report", targets[0], "--csv", targets[1], "--pdf", targets[2]]
    capsys.readouterr()
    assert run(["evaluate", mask, labels, *words]) == 0
    printed = capsys.readouterr()
    values = json.loads(printed.out)
    assert printed.err == ""
    assert values["wrote"] == targets
    assert values["classes"]["names"] == ["building", "land", "road", "vegetation", "water"]
    assert values["pixels"]["total"] == 900 * 700
    assert values["stamp"]["model"].startswith("cvmh_unet_small (")
    assert 0.5 < values["overall_accuracy"] < 1
    assert values["calibration"]["expected_error"] > 0


def test_text_says_what_was_counted(labels: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", labels, labels, "--classes", "a,b,c,d,e"]) == 0
    text = capsys.readouterr().out
    assert "scored 602,413 px once each; left out 27,587 unlabelled, 0 boundary, 0 without" in text
    assert "OA" in text
    assert "100.00 % (100.00 to 100.00, 95 %)" in text


def test_folders_print_a_row_a_scene(
    labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one.tif", "two.tif"):
        shutil.copy(labels, tmp_path / name)
    assert run(["evaluate", str(tmp_path), str(tmp_path), "--curve", "0"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"one +100.00 +100.00 +100.00 +602,413", text)


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["none.tif"], 1, "scene none.tif does not exist"),
        (["{labels}", "--protocol", "x"], 2, "protocol 'x' is not known; give one of all-classes"),
        (["{labels}", "--label-map", "a=1"], 2, "--label-map 'a=1' is not of the form VALUE=CLASS"),
        (["{labels}", "--csv", "report.txt"], 2, "give a name that ends in .csv"),
        (["{other}"], 1, "map and reference are on different grids: .* 900 x 700 .* 640 x 640"),
        (["{labels}", "--classes", "a,b"], 1, "holds the value 2 at row .* or name all classes"),
    ],
)
def test_errors_are_one_line(
    labels: str,
    sample_data: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    words: list[str],
    status: int,
    text: str,
) -> None:
    other = str(sample_data / "town_4band_uint16_labels.tif")
    given = [word.format(labels=labels, other=other) for word in words]
    assert run(["evaluate", labels, *given]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ONE_LINE.match(printed.err)
    assert re.search(text, printed.err)


def test_existing_reports_are_refused_before_work(
    labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine")
    assert run(["evaluate", labels, labels, "--report", str(path)]) == 2
    assert "exists already; give another name or --overwrite" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert run(["evaluate", labels, labels, "--report", str(path), "--overwrite", "-q"]) == 0
    assert path.read_text().startswith("<!DOCTYPE html>")


def test_a_list_of_maps_is_not_replaced_by_a_table(
    labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "maps.csv"
    path.write_text(f"map,reference\n{labels},{labels}\n")
    assert run(["evaluate", str(path), "--csv", str(path), "--overwrite"]) == 1
    assert "maps.csv is also an input; give another name" in capsys.readouterr().err
    assert path.read_text().startswith("map,reference")
