"""Pieces of HTML that several sections use."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import Colour, is_control


def escaped(words: str) -> str:
    r"""Make a text harmless in HTML and in a file of UTF-8.

    Args:
        words: Any text, such as a file name with bytes that are no UTF-8.

    Returns:
        The text with markup escaped, and a question mark for each control character and each half
        of a surrogate.

    Example:
        >>> escaped("<b>\udcff")
        '&lt;b&gt;?'
    """
    return escape("".join("?" if is_control(sign) else sign for sign in words))


def percent(share: float) -> str:
    """Write a share in percent with two digits.

    Args:
        share: The share, 0 to 1.

    Returns:
        Such as "85.82".

    Example:
        >>> percent(0.8582)
        '85.82'
    """
    return f"{100 * share:.2f}"


def interval_text(ends: NDArray[np.float64] | None, *, as_percent: bool) -> str:
    """Write an interval.

    Args:
        ends: Its two ends; None if there is none.
        as_percent: Write percent with two digits, else four digits.

    Returns:
        Such as "80.11 to 87.20"; a dash where there is no interval.

    Example:
        >>> interval_text(np.array([0.8, 0.9]), as_percent=True)
        '80.00 to 90.00'
    """
    if ends is None or np.isnan(ends).any():
        return "–"  # noqa: RUF001 - a dash for an empty cell
    low, high = (percent(float(end)) if as_percent else f"{end:.4f}" for end in ends)
    return f"{low} to {high}"


def swatch(colour: Colour) -> str:
    """Make a small coloured square.

    Args:
        colour: Red, green and blue.

    Returns:
        HTML.
    """
    red, green, blue = colour
    return f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Make a table.

    Args:
        header: Heading of each column, HTML.
        rows: Cells of each row, HTML.

    Returns:
        HTML.
    """
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def section(title: str, content: str) -> str:
    """Make a section with a heading.

    Args:
        title: The heading, HTML.
        content: What follows, HTML.

    Returns:
        HTML.
    """
    return f"<section><h2>{title}</h2>{content}</section>"
