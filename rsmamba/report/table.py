"""The report as one long table: scope, name, measure, value, low, high."""

import csv
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

from rsmamba.evaluation.result import AccuracyReport
from rsmamba.metrics import AreaEstimates
from rsmamba.report.files import write_file

HEADER = ("scope", "name", "measure", "value", "low", "high")
Row = tuple[str, str, str, float | int | str, float | str, float | str]
_OF_AREAS = tuple(
    field.name for field in fields(AreaEstimates) if not field.name.startswith("overall_accuracy")
)
_SHARED = ("overall_accuracy", "kappa", "mean_f1", "mean_iou")


def write_csv(report: AccuracyReport, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the report as a CSV file with one number a row.

    Args:
        report: The report.
        path: The file.
        overwrite: Replace it if it exists.

    Returns:
        Absolute path of the file.

    Raises:
        OutputExistsError: If it exists and `overwrite` is False.
        OutputError: If it cannot be written.
        OptionError: If its name does not end in .csv.
    """

    def write(target: Path) -> None:
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows(rows(report))

    return write_file(path, write, suffix=".csv", overwrite=overwrite)


def rows(report: AccuracyReport) -> Iterator[Row]:
    """Give the report number by number.

    Args:
        report: The report.

    Yields:
        Scope (stamp, all, class, matrix, curve, area or scene), name, measure, value, and the ends
        of the 95 % interval, empty where there is none.
    """
    for name, text in report.stamp().items():
        yield "stamp", name, "", text, "", ""
    for measure in _SHARED:
        low, high = _ends(report, measure)
        yield "all", "", measure, getattr(report.scores, measure), low, high
    for name, pixels in asdict(report.tally).items():
        yield "all", "", f"{name}_pixels", pixels, "", ""
    if report.calibration is not None:
        yield "all", "", "expected_calibration_error", report.calibration.expected_error, "", ""
    yield from _class_rows(report)
    for point in report.curve:
        for measure in ("pixels", "overall_accuracy", "mean_f1", "mean_iou"):
            yield "curve", f"{point.radius} px", measure, getattr(point, measure), "", ""
    yield from _area_rows(report)
    for scene in report.scenes:
        for measure in _SHARED:
            yield "scene", scene.name, measure, getattr(scene.scores, measure), "", ""
        yield "scene", scene.name, "counted_pixels", scene.tally.counted, "", ""


def _class_rows(report: AccuracyReport) -> Iterator[Row]:
    names = report.classes.names
    for index, name in enumerate(names):
        for measure, value in report.class_scores(index).items():
            low, high = _ends(report, measure, index)
            yield "class", name, measure, value, low, high
    for name, counts in zip(names, report.counts.tolist(), strict=True):
        for other, count in zip(names, counts, strict=True):
            yield "matrix", name, f"as {other}", count, "", ""


def _area_rows(report: AccuracyReport) -> Iterator[Row]:
    estimates = report.areas.estimates
    if estimates is None:
        return
    for measure in ("overall_accuracy", "overall_accuracy_se"):
        yield "area", "", measure, getattr(estimates, measure), "", ""
    yield "area", "", "unit", report.areas.unit, "", ""
    for index, name in enumerate(report.classes.names):
        for measure in _OF_AREAS:
            yield "area", name, measure, float(getattr(estimates, measure)[index]), "", ""


def _ends(
    report: AccuracyReport, measure: str, index: int | None = None
) -> tuple[float | str, float | str]:
    """The interval of a score, empty strings where there is none."""
    values = getattr(report.intervals, measure, None)
    if values is None:
        return "", ""
    low, high = (values if index is None else values[index]).tolist()
    return ("", "") if low != low else (low, high)  # noqa: PLR0124 - NaN
