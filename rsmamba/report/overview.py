"""The overview of a batch: one HTML file with a small picture of each map, shares and failures.

It needs no other file and no network, and it is written row by row, so that memory does not grow
with the number of scenes.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from rsmamba.classes import Colour
from rsmamba.errors import RsmambaError
from rsmamba.geo.output import write_errors
from rsmamba.report.images import class_palette, indexed_png
from rsmamba.report.maps import MapFacts, check_ours, read_map, thumbnail
from rsmamba.report.markup import escaped, percent, section, swatch

# Pictures of more scenes would make the page too heavy for a browser.
MOST_PICTURES = 500
_SIDE = 120
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem;text-align:left;
vertical-align:top;border-bottom:1px solid #ddd}img{display:block;image-rendering:pixelated}
.swatch{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border:1px solid #999}
.bar{display:flex;height:.8em;min-width:12rem;border:1px solid #999}.bar span{display:block}
.soft{color:#777}.failed{color:#b00020}td:nth-child(2){overflow-wrap:anywhere}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scene of a batch.

    Attributes:
        scene: The scene.
        out: Its class map.
        status: "done", "skipped" or "failed".
        reason: Why it was skipped or failed.
    """

    scene: str
    out: Path
    status: str
    reason: str = ""


class _Totals:
    """Pixels of each class of all maps, by name."""

    def __init__(self) -> None:
        self.pixels: dict[str, int] = {}
        self.colours: dict[str, Colour] = {}

    def add(self, facts: MapFacts) -> None:
        """Add a map."""
        classes = facts.classes
        for name, colour, count in zip(classes.names, classes.colours, facts.counts, strict=True):
            self.pixels[name] = self.pixels.get(name, 0) + count
            self.colours.setdefault(name, colour)


def write_overview(path: Path, rows: Iterable[Row]) -> Path:
    """Write the overview of a batch.

    Args:
        path: The page; an earlier one is replaced, another file is not.
        rows: The scenes.

    Returns:
        The path.

    Raises:
        OutputExistsError: If there is a file of that name that rsmamba did not write.
        OutputError: If it cannot be written.
    """
    check_ours(path)
    part = path.with_name(f".{path.name}.part")
    with write_errors(path):
        with part.open("w", encoding="utf-8") as file:
            _write_page(file, rows, folder=path.absolute().parent)
        part.replace(path)
    return path


def _write_page(file: IO[str], rows: Iterable[Row], *, folder: Path) -> None:
    totals, counts, failed = _Totals(), dict.fromkeys(("done", "skipped", "failed"), 0), []
    file.write(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="generator" content="rsmamba">\n'
        f"<title>Class maps in {escaped(folder.name)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>Class maps in {escaped(folder.name)}</h1>\n<h2>Maps</h2><table>"
        "<tr><th>map</th><th>scene</th><th>status</th><th>classes</th></tr>\n"
    )
    for number, row in enumerate(rows):
        counts[row.status] = counts.get(row.status, 0) + 1
        if row.status == "failed":
            failed.append(row)
            continue
        file.write(_map_row(row, totals, folder=folder, has_picture=number < MOST_PICTURES))
    file.write("</table>\n")
    file.writelines(_ending(totals, counts, failed))
    file.write("</body></html>\n")


def _map_row(row: Row, totals: _Totals, *, folder: Path, has_picture: bool) -> str:
    status = escaped(f"{row.status} {row.reason}".strip())
    try:
        facts = read_map(row.out)
        picture = _picture(facts) if has_picture else ""
    except RsmambaError as error:
        status, picture, bar = f'<span class="failed">{escaped(str(error))}</span>', "", ""
    else:
        totals.add(facts)
        bar = _bar(facts)
    name = row.out.absolute()
    shown = str(name.relative_to(folder)) if name.is_relative_to(folder) else str(name)
    link = f'<a href="{quote(os.fsencode(shown))}">{escaped(shown)}</a>'
    return (
        f'<tr><td>{picture}</td><td>{link}<br><span class="soft">{escaped(row.scene)}</span></td>'
        f"<td>{status}</td><td>{bar}</td></tr>\n"
    )


def _picture(facts: MapFacts) -> str:
    pixels = thumbnail(facts.path, side=_SIDE)
    return f'<img alt="" src="{indexed_png(pixels, class_palette(facts.classes))}">'


def _bar(facts: MapFacts) -> str:
    parts = sorted(
        zip(facts.shares, facts.classes.names, facts.classes.colours, strict=True), reverse=True
    )
    spans = "".join(
        f'<span title="{escaped(name)} {percent(share)} %" style="width:{100 * share:.2f}%;'
        f'background:rgb({red},{green},{blue})"></span>'
        for share, name, (red, green, blue) in parts
    )
    largest = ", ".join(f"{escaped(name)} {percent(share)} %" for share, name, _ in parts[:3])
    return f'<div class="bar">{spans}</div><span class="soft">{largest}</span>'


def _ending(totals: _Totals, counts: dict[str, int], failed: list[Row]) -> Iterator[str]:
    yield f"<p>{', '.join(f'{count:,} {status}' for status, count in counts.items())}</p>\n"
    if failed:
        rows = "".join(
            f'<tr><td>{escaped(row.scene)}</td><td class="failed">{escaped(row.reason)}</td></tr>\n'
            for row in failed
        )
        yield section("Failures", f"<table><tr><th>scene</th><th>reason</th></tr>\n{rows}</table>")
    whole = sum(totals.pixels.values())
    if whole:
        rows = "".join(
            f"<tr><td>{swatch(totals.colours[name])}{escaped(name)}</td><td>{pixels:,} px</td>"
            f"<td>{percent(pixels / whole)} %</td></tr>\n"
            for name, pixels in totals.pixels.items()
        )
        yield section("Classes of all maps", f"<table>{rows}</table>")
