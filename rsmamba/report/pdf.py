"""The report as a PDF, drawn with matplotlib."""

import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rsmamba.errors import require
from rsmamba.evaluation.result import AccuracyReport
from rsmamba.report.files import write_file
from rsmamba.report.images import class_palette, error_palette

# A4 upright, inches.
_PAGE = (8.27, 11.69)
_MOST_SCENES = 20


def write_pdf(report: AccuracyReport, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the report as a PDF.

    Args:
        report: The report; with pictures if scenes and errors are to be seen.
        path: The file.
        overwrite: Replace it if it exists.

    Returns:
        Absolute path of the file.

    Raises:
        MissingPackageError: If matplotlib is not installed.
        OutputExistsError: If the file exists and `overwrite` is False.
        OutputError: If it cannot be written.
        OptionError: If its name does not end in .pdf.
    """
    backend = require("matplotlib.backends.backend_pdf", extra="report")

    def write(target: Path) -> None:
        with warnings.catch_warnings(), backend.PdfPages(target) as pages:
            # Names in scripts that the font lacks become boxes; the page and the table have them.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            for figure in _figures(report):
                pages.savefig(figure)

    return write_file(path, write, suffix=".pdf", overwrite=overwrite)


def _figures(report: AccuracyReport) -> Iterator[Any]:
    """One figure a page."""
    yield _summary(report)
    yield _confusion(report)
    yield _curves(report)
    for index in range(min(len(report.pictures), _MOST_SCENES)):
        yield _scene(report, index)


def _new_figure() -> Any:  # noqa: ANN401 - matplotlib is imported late
    return require("matplotlib.figure", extra="report").Figure(figsize=_PAGE)


def _summary(report: AccuracyReport) -> Any:  # noqa: ANN401 - a figure
    figure = _new_figure()
    scores = report.scores
    figure.text(0.08, 0.95, "Accuracy report", size=18, weight="bold")
    line = (
        f"OA {scores.overall_accuracy:.2%}    mIoU {scores.mean_iou:.2%}    "
        f"mF1 {scores.mean_f1:.2%}    kappa {scores.kappa:.4f}"
    )
    figure.text(0.08, 0.92, line, size=12)
    lines = [
        part
        for name, text in report.stamp().items()
        for part in textwrap.wrap(f"{name}: {text}", 105, subsequent_indent="    ")
    ]
    figure.text(0.08, 0.90, "\n".join(lines), size=8, va="top", family="monospace")
    axes = figure.add_axes((0.24, 0.08, 0.68, 0.45))
    places = np.arange(report.classes.num_classes)
    colours = np.array(report.classes.colours) / 255
    axes.barh(places - 0.2, scores.iou, 0.38, color=colours, edgecolor="0.3", label="IoU")
    axes.barh(places + 0.2, scores.f1, 0.38, color=colours, edgecolor="0.3", alpha=0.45, label="F1")
    axes.set_yticks(places, report.classes.names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("IoU (full colour) and F1 (pale)")
    return figure


def _confusion(report: AccuracyReport) -> Any:  # noqa: ANN401 - a figure
    figure = _new_figure()
    axes = figure.add_axes((0.24, 0.35, 0.68, 0.5))
    rows = report.counts.sum(axis=1, keepdims=True)
    shares = report.counts / np.maximum(rows, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = report.classes.names
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("map class")
    axes.set_ylabel("reference class")
    axes.set_title("Confusion matrix, percent of the reference class")
    if len(names) <= 20:
        for (row, column), share in np.ndenumerate(shares):
            ink = "white" if share > 0.5 else "black"
            axes.text(
                column, row, f"{100 * share:.1f}", ha="center", va="center", color=ink, size=8
            )
    return figure


def _curves(report: AccuracyReport) -> Any:  # noqa: ANN401 - a figure
    figure = _new_figure()
    axes = figure.add_axes((0.12, 0.58, 0.8, 0.33))
    radii = [point.radius for point in report.curve]
    for name, label in (("overall_accuracy", "OA"), ("mean_f1", "mF1"), ("mean_iou", "mIoU")):
        axes.plot(radii, [getattr(point, name) for point in report.curve], marker="o", label=label)
    axes.set_xlabel("boundary radius, pixels")
    axes.set_ylim(0, 1)
    axes.legend()
    axes.set_title("Scores by boundary erosion")
    found = report.calibration
    if found is not None:
        lower = figure.add_axes((0.12, 0.1, 0.5, 0.36))
        widths = np.diff(found.edges)
        lower.bar(found.edges[:-1], found.accuracy, widths, align="edge", edgecolor="0.3")
        lower.plot([0, 1], [0, 1], "k--")
        lower.set_xlabel("confidence")
        lower.set_ylabel("accuracy")
        lower.set_title(f"Calibration, expected error {found.expected_error:.4f}")
    return figure


def _scene(report: AccuracyReport, index: int) -> Any:  # noqa: ANN401 - a figure
    figure = _new_figure()
    picture, scene = report.pictures[index], report.scenes[index]
    palette = class_palette(report.classes)
    panels = {
        "map": palette[picture.prediction],
        "reference": palette[picture.reference],
        "errors": error_palette()[picture.errors],
    }
    if picture.image is not None:
        panels = {"image": picture.image, **panels}
    scores = scene.scores
    title = f"{scene.name}: OA {scores.overall_accuracy:.2%}, mIoU {scores.mean_iou:.2%}"
    figure.suptitle(title)
    for place, (name, pixels) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(2, 2, place)
        axes.imshow(pixels, interpolation="none")
        axes.set_title(name)
        axes.set_axis_off()
    return figure
