"""The report as one HTML file that needs no network and opens from disk."""

from importlib import resources
from pathlib import Path

from rsmamba.evaluation.result import AccuracyReport
from rsmamba.report import sections
from rsmamba.report.files import write_file

# Nothing may be loaded, from anywhere; what the page needs is in it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_SECTIONS = (
    sections.summary,
    sections.viewer,
    sections.worst_tiles,
    sections.per_class,
    sections.confusion,
    sections.curve,
    sections.calibration,
    sections.areas,
    sections.scene_table,
)


def write_page(report: AccuracyReport, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the report as a web page.

    Args:
        report: The report; with pictures if scenes and errors are to be seen.
        path: The file.
        overwrite: Replace it if it exists.

    Returns:
        Absolute path of the file.

    Raises:
        OutputExistsError: If it exists and `overwrite` is False.
        OutputError: If it cannot be written.
        OptionError: If its name does not end in .html.
    """
    content = page(report)
    return write_file(
        path,
        lambda target: target.write_text(content, encoding="utf-8"),
        suffix=".html",
        overwrite=overwrite,
    )


def page(report: AccuracyReport) -> str:
    """Make the web page.

    Args:
        report: The report.

    Returns:
        A whole HTML document.
    """
    body = "\n".join(filter(None, (make(report) for make in _SECTIONS)))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Accuracy report</title>
<style>{_asset("page.css")}</style></head>
<body><main>{body}
<p class="soft">rsmamba {report.version}</p></main>
<script>{_asset("viewer.js")}</script></body></html>
"""


def _asset(name: str) -> str:
    return (resources.files("rsmamba.report") / "assets" / name).read_text(encoding="utf-8")
