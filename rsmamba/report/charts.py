"""Charts as inline SVG: confusion matrix, bars, curves, reliability."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import Colour
from rsmamba.metrics import Calibration, Intervals, Scores
from rsmamba.report.markup import escaped

_DARK = (8, 48, 107)
_LINES = {"overall accuracy": "#1b5e9b", "mean F1": "#b3531c", "mean IoU": "#2e7d4f"}


def confusion_chart(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """Draw a confusion matrix; each row is the reference class, shaded by its share.

    Args:
        counts: Pixel counts (n, n), rows reference, columns map.
        names: One name a class.

    Returns:
        An SVG element.
    """
    cell = 64 if len(names) <= 10 else max(12, 640 // len(names))
    left, top = 150, 110
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    parts = [f'<text x="{left}" y="14" class="axis">map class</text>']
    parts.append(f'<text x="4" y="{top - 8}" class="axis">reference class</text>')
    for index, name in enumerate(names):
        middle = index * cell + cell / 2
        parts.append(
            f'<text x="{left - 8}" y="{top + middle + 4}" text-anchor="end">{_short(name)}</text>'
        )
        place = f"translate({left + middle + 4},{top - 8}) rotate(-40)"
        parts.append(f'<text transform="{place}">{_short(name)}</text>')
    for (row, column), share in np.ndenumerate(shares):
        parts.append(
            _cell(
                (left + column * cell, top + row * cell),
                cell=cell,
                share=float(share),
                title=f"{names[row]} mapped as {names[column]}: {int(counts[row, column]):,} px",
            )
        )
    size = cell * len(names)
    return _svg("".join(parts), width=left + size + 90, height=top + size + 10, label="Confusion")


def bar_chart(
    scores: Scores,
    names: Sequence[str],
    *,
    colours: Sequence[Colour],
    intervals: Intervals | None,
) -> str:
    """Draw IoU and F1 of each class with their intervals.

    Args:
        scores: The scores.
        names: One name a class.
        colours: One colour a class.
        intervals: The intervals; None for none.

    Returns:
        An SVG element.
    """
    left, width, step = 150, 460, 46
    parts = [_grid(left, width, height=step * len(names))]
    for index, name in enumerate(names):
        top = index * step + 6
        parts.append(f'<text x="{left - 8}" y="{top + 20}" text-anchor="end">{_short(name)}</text>')
        red, green, blue = colours[index]
        bars = (("IoU", scores.iou, 1.0, "iou"), ("F1", scores.f1, 0.45, "f1"))
        for place, (label, values, strength, field) in enumerate(bars):
            value, y = float(values[index]), top + place * 17
            ends = None if intervals is None else getattr(intervals, field)[index]
            parts.append(
                f'<rect x="{left}" y="{y}" width="{value * width:.1f}" height="14" '
                f'fill="rgb({red},{green},{blue})" fill-opacity="{strength}" stroke="#444">'
                f"<title>{escaped(name)}: {label} {value:.4f}</title></rect>"
            )
            parts.append(_whisker(ends, left=left, width=width, y=y + 7))
            far = value if ends is None or np.isnan(ends).any() else max(value, float(ends[1]))
            parts.append(
                f'<text x="{left + far * width + 6:.1f}" y="{y + 11}" class="small">'
                f"{label} {100 * value:.1f}</text>"
            )
    return _svg(
        "".join(parts), width=left + width + 90, height=step * len(names) + 24, label="Classes"
    )


def line_chart(
    x_values: Sequence[float], lines: dict[str, Sequence[float]], *, x_label: str
) -> str:
    """Draw scores over one quantity.

    Args:
        x_values: The quantity.
        lines: Scores from 0 to 1 by name.
        x_label: What the quantity is.

    Returns:
        An SVG element.
    """
    left, top, width, height = 50, 10, 460, 220
    span = max(x_values) - min(x_values) or 1
    parts = [_frame(left, top, width=width, height=height, x_label=x_label)]
    for x_value in x_values:
        x = left + (x_value - min(x_values)) / span * width
        parts.append(
            f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{x_value:g}</text>'
        )
    for index, (name, values) in enumerate(lines.items()):
        colour = _LINES.get(name, "#555")
        points = [
            (left + (x - min(x_values)) / span * width, top + (1 - value) * height)
            for x, value in zip(x_values, values, strict=True)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(
            f'<text x="{left + width + 12}" y="{top + 20 + 20 * index}" fill="{colour}">'
            f"{escaped(name)}</text>"
        )
    return _svg("".join(parts), width=left + width + 150, height=height + 50, label=x_label)


def reliability_chart(calibration: Calibration) -> str:
    """Draw accuracy over confidence, bin by bin.

    Args:
        calibration: The calibration.

    Returns:
        An SVG element.
    """
    left, top, side = 50, 10, 260
    parts = [_frame(left, top, width=side, height=side, x_label="confidence")]
    for index, pixels in enumerate(calibration.pixels.tolist()):
        first, last = calibration.edges[index], calibration.edges[index + 1]
        value = float(calibration.accuracy[index])
        if pixels:
            parts.append(
                f'<rect x="{left + first * side:.1f}" y="{top + (1 - value) * side:.1f}" '
                f'width="{(last - first) * side:.1f}" height="{value * side:.1f}" fill="#7fa7cf" '
                f'stroke="#34587e"><title>{first:.2f} to {last:.2f}: {pixels:,} px, accuracy '
                f"{value:.3f}</title></rect>"
            )
    parts.append(
        f'<line x1="{left}" y1="{top + side}" x2="{left + side}" y2="{top}" stroke="#333" '
        'stroke-dasharray="5 4"/>'
    )
    parts += [
        f'<text x="{left + tick * side}" y="{top + side + 16}" text-anchor="middle">{tick:g}</text>'
        for tick in (0, 0.5, 1)
    ]
    return _svg("".join(parts), width=left + side + 20, height=side + 50, label="Reliability")


def _cell(corner: tuple[float, float], *, cell: int, share: float, title: str) -> str:
    """One shaded square with its percentage."""
    x, y = corner
    shade = [round(255 + share**0.7 * (dark - 255)) for dark in _DARK]
    fill = f"rgb({shade[0]},{shade[1]},{shade[2]})"
    square = (
        f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{fill}" stroke="#fff">'
        f"<title>{escaped(title)}</title></rect>"
    )
    if cell < 40 or share < 0.0005:
        return square
    ink = "#fff" if share > 0.45 else "#222"
    return (
        f'{square}<text x="{x + cell / 2}" y="{y + cell / 2 + 4}" text-anchor="middle" '
        f'fill="{ink}">{100 * share:.1f}</text>'
    )


def _whisker(ends: NDArray[np.float64] | None, *, left: int, width: int, y: int) -> str:
    """The interval of a bar; nothing where there is none."""
    if ends is None or np.isnan(ends).any():
        return ""
    low, high = (left + float(end) * width for end in ends)
    return (
        f'<path d="M{low:.1f} {y - 4}v8M{low:.1f} {y}H{high:.1f}M{high:.1f} {y - 4}v8" class="w"/>'
    )


def _grid(left: int, width: int, *, height: int) -> str:
    lines = [
        f'<line x1="{left + share * width}" y1="0" x2="{left + share * width}" y2="{height}" '
        f'class="g"/><text x="{left + share * width}" y="{height + 16}" text-anchor="middle">'
        f"{100 * share:.0f}</text>"
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    return "".join(lines)


def _frame(left: int, top: int, *, width: int, height: int, x_label: str) -> str:
    """Axes from 0 to 1 upwards."""
    lines = [
        f'<line x1="{left}" y1="{top + share * height}" x2="{left + width}" '
        f'y2="{top + share * height}" class="g"/><text x="{left - 6}" '
        f'y="{top + share * height + 4}" text-anchor="end">{1 - share:g}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    label = (
        f'<text x="{left + width / 2}" y="{top + height + 34}" text-anchor="middle" class="axis">'
        f"{escaped(x_label)}</text>"
    )
    return "".join([*lines, label])


def _svg(content: str, *, width: float, height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
        f'aria-label="{escaped(label)}">{content}</svg>'
    )


def _short(name: str) -> str:
    return escaped(name if len(name) <= 20 else f"{name[:19]}…")
