"""The report as a table and as a PDF."""

import csv
from pathlib import Path

import pytest

from rsmamba.errors import MissingPackageError, OptionError
from rsmamba.evaluation import AccuracyReport
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
