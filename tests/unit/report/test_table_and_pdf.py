"""The report as a table and as a PDF."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rsmamba.classes import ClassScheme
from rsmamba.errors import MissingPackageError, OptionError
from rsmamba.evaluation import AccuracyReport
from rsmamba.evaluation.result import ClassAreas
from rsmamba.metrics import estimate_areas
from rsmamba.report import rows, write_csv, write_pdf


def test_the_table_holds_every_number(report: AccuracyReport, tmp_path: Path) -> None:
    path = write_csv(report, tmp_path / "report.csv")
    with path.open(newline="", encoding="utf-8") as file:
        table = {(row["scope"], row["name"], row["measure"]): row for row in csv.DictReader(file)}
    assert len(table) == len(list(rows(report)))
    assert float(table["all", "", "mean_iou"]["value"]) == report.mean_iou
    assert float(table["class", "tree", "iou"]["value"]) == report.scores.iou[3]
    assert int(table["matrix", "car", "as building"]["value"]) == report.counts[4, 1]
    assert report.intervals is not None
    assert float(table["all", "", "kappa"]["low"]) == report.intervals.kappa[0]
    assert table["class", "tree", "precision"]["low"] == ""
    assert float(table["curve", "3 px", "overall_accuracy"]["value"]) == report.overall_accuracy
    assert table["stamp", "protocol", ""]["value"].startswith("geoseg: GeoSeg and UNetFormer")


def test_the_pdf_has_its_pages(report: AccuracyReport, tmp_path: Path) -> None:
    """Summary, matrix, curves, and one page a scene."""
    pytest.importorskip("matplotlib")
    content = write_pdf(report, tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page ") == 5


def test_a_missing_matplotlib_is_told(
    report: AccuracyReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backends.backend_pdf", None)
    with pytest.raises(MissingPackageError, match=r'pip install "rsmamba\[report\]"'):
        write_pdf(report, tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_names_must_end_like_the_format(report: AccuracyReport, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"ends in .txt; give a name that ends in .csv"):
        write_csv(report, tmp_path / "report.txt")


def test_the_table_holds_the_estimates_of_areas(report: AccuracyReport) -> None:
    estimates = estimate_areas(np.array([[8, 1], [2, 9]]), np.array([300, 700]))
    areas = ClassAreas(note="", unit="ha", estimates=estimates)
    two = ClassScheme.from_names(["land", "water"])
    table = {
        row[1:3]: row[3]
        for row in rows(replace(report, areas=areas, classes=two, counts=np.ones((2, 2), int)))
        if row[0] == "area"
    }
    assert table["", "overall_accuracy"] == estimates.overall_accuracy
    assert table["", "overall_accuracy_se"] == estimates.overall_accuracy_se
    assert table["", "unit"] == "ha"
    for name in ("share_se", "users_accuracy_se", "producers_accuracy_se", "area_se"):
        assert table["water", name] == getattr(estimates, name)[1]


def test_names_that_the_font_lacks_are_no_warning(report: AccuracyReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = ("水面", *report.classes.names[1:])
    strange = replace(report, classes=replace(report.classes, names=names))
    assert write_pdf(strange, tmp_path / "report.pdf").exists()
