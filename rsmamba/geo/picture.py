"""Picture: panels, a scale bar, a bar of class shares and a legend, drawn with Pillow.

Places are ``(left, top)`` in pixels of the picture, as Pillow has them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rsmamba.classes import Colour

_MAX_WIDTH, _MIN_WIDTH = 1600, 880
_MARGIN, _GAP = 48, 32
_MAX_PANEL_HEIGHT, _MIN_PANEL_STEP = 1000, 120
# Tiny scenes are enlarged at most so often.
_MAX_ENLARGEMENT = 32
_PAPER, _INK, _SOFT_INK, _LINE = (255, 255, 255), (24, 32, 43), (98, 110, 125), (206, 212, 219)
_HEADING, _TEXT = 34, 21
_TITLE_HEIGHT = 36
_BAR_HEIGHT, _SWATCH, _ROW_HEIGHT = 20, 24, 40
_STRIPE = 6

Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One of the pictures side by side.

    Attributes:
        title: What it shows.
        picture: Colours ``(h, w, 3)``.
    """

    title: str
    picture: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """One line of the legend.

    Attributes:
        name: Name of the class.
        colour: Its colour; None for the hatch that stands for no data.
        share: Its share of all pixels, 0 to 1.
    """

    name: str
    colour: Colour | None
    share: float

    @property
    def percent(self) -> str:
        """The share in per cent, with more decimals the smaller it is."""
        percent = 100 * self.share
        if 0 < percent < 0.005:
            return "< 0.01 %"
        decimals = 0 if percent == 0 or percent >= 9.95 else 1 if percent >= 0.095 else 2
        return f"{percent:.{decimals}f} %"


def hatch(height: int, width: int) -> NDArray[np.uint8]:
    """Return the pattern that stands for no data.

    Args:
        height: Rows.
        width: Columns.

    Returns:
        Grey diagonal stripes ``(height, width, 3)``.
    """
    rows, cols = np.indices((height, width), sparse=True)
    stripe = (rows + cols) // _STRIPE % 2 == 0
    grey = np.where(stripe, np.uint8(242), np.uint8(222))
    return np.repeat(grey[:, :, None], 3, axis=2)


def panel_size(height: int, width: int) -> tuple[int, int]:
    """Choose how large a scene is drawn, with its aspect kept.

    Args:
        height: Rows of the scene.
        width: Columns of the scene.

    Returns:
        Rows and columns of a panel.

    Example:
        >>> panel_size(8000, 8000)
        (736, 736)
    """
    columns = _num_columns(height, width)
    room = (_MAX_WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) // columns
    scale = min(room / width, _MAX_PANEL_HEIGHT / height, _MAX_ENLARGEMENT)
    if scale > 1:
        scale = float(int(scale))
    return max(1, round(height * scale)), max(1, round(width * scale))


def compose(
    panels: Sequence[Panel],
    *,
    heading: str,
    caption: str,
    legend: Sequence[LegendEntry],
    metres_per_pixel: float | None = None,
) -> Image.Image:
    """Draw the panels, a heading, a scale bar and a legend.

    Args:
        panels: Pictures of the same size.
        heading: First line.
        caption: Second line.
        legend: Classes with colours and shares.
        metres_per_pixel: Ground size of a pixel of the panels; None leaves the scale bar out.

    Returns:
        The picture.
    """
    height, width, _ = panels[0].picture.shape
    columns = _num_columns(height, width)
    # Narrow panels still need room for their titles.
    step_across = max(width, _MIN_PANEL_STEP) + _GAP
    content = columns * step_across - _GAP
    page_width = min(max(content + 2 * _MARGIN, _MIN_WIDTH), _MAX_WIDTH)
    room = page_width - 2 * _MARGIN
    legend_rows = _legend_rows(legend, room)
    panels_top = _MARGIN + _HEADING + _TEXT + 44
    step = _TITLE_HEIGHT + height + _GAP
    bar_top = panels_top + math.ceil(len(panels) / columns) * step + 8
    legend_top = bar_top + _BAR_HEIGHT + 24
    page_height = legend_top + len(legend_rows) * _ROW_HEIGHT + _MARGIN - 16
    image = Image.new("RGB", (page_width, page_height), _PAPER)
    draw = ImageDraw.Draw(image)
    _write_heading(draw, heading, caption, room)
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        place = (_MARGIN + column * step_across, panels_top + row * step)
        _paste_panel(image, panel, place)
    if metres_per_pixel is not None and width >= 200 and height >= 100:
        corner = (_MARGIN + 16, panels_top + _TITLE_HEIGHT + height - 18)
        _draw_scale_bar(draw, corner, width=width, metres_per_pixel=metres_per_pixel)
    _draw_shares(image, legend, (_MARGIN, bar_top), width=room)
    _draw_legend(image, legend_rows, (_MARGIN, legend_top))
    return image


def _num_columns(height: int, width: int) -> int:
    return 2 if width < 1.9 * height else 1


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _text_width(text: str, size: int) -> int:
    return math.ceil(_font(size).getlength(text))


# Cuts the middle out of a line that is too long.
def _fitting(text: str, *, size: int, room: int) -> str:
    kept = len(text)
    shown = text
    while _text_width(shown, size) > room and kept > 8:
        kept -= 4
        shown = f"{text[: kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def _write_heading(draw: ImageDraw.ImageDraw, heading: str, caption: str, room: int) -> None:
    first = _fitting(heading, size=_HEADING, room=room)
    draw.text((_MARGIN, _MARGIN - 8), first, fill=_INK, font=_font(_HEADING))
    second = _fitting(caption, size=_TEXT, room=room)
    draw.text((_MARGIN, _MARGIN + _HEADING + 8), second, fill=_SOFT_INK, font=_font(_TEXT))


def _paste_panel(image: Image.Image, panel: Panel, place: Place) -> None:
    left, top = place
    height, width, _ = panel.picture.shape
    draw = ImageDraw.Draw(image)
    draw.text((left, top), panel.title, fill=_INK, font=_font(_TEXT))
    top += _TITLE_HEIGHT
    image.paste(Image.fromarray(panel.picture), (left, top))
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_LINE)


def _draw_scale_bar(
    draw: ImageDraw.ImageDraw, corner: Place, *, width: int, metres_per_pixel: float
) -> None:
    metres = _round_length(0.25 * width * metres_per_pixel)
    left, bottom = corner
    right = left + round(metres / metres_per_pixel)
    outline = [(left, bottom - 8), (left, bottom), (right, bottom), (right, bottom - 8)]
    draw.line(outline, fill=(0, 0, 0), width=6, joint="curve")
    draw.line(outline, fill=(255, 255, 255), width=3, joint="curve")
    draw.text(
        (left + 8, bottom - 34),
        f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m",
        fill=(255, 255, 255),
        font=_font(_TEXT),
        stroke_width=2,
        stroke_fill=(0, 0, 0),
    )


# The longest of 1, 2, 5, 10, 20 ... that is not longer.
def _round_length(metres: float) -> float:
    decade = 10.0 ** math.floor(math.log10(metres))
    return max(step * decade for step in (1, 2, 5) if step * decade <= metres * 1.0001)


def _draw_shares(
    image: Image.Image, legend: Sequence[LegendEntry], place: Place, *, width: int
) -> None:
    left, top = place
    begin = 0.0
    for entry in legend:
        first, last = round(begin * width), round((begin + entry.share) * width)
        begin += entry.share
        if last > first:
            image.paste(_fill(entry.colour, last - first, _BAR_HEIGHT), (left + first, top))
    frame = (left - 1, top - 1, left + width, top + _BAR_HEIGHT)
    ImageDraw.Draw(image).rectangle(frame, outline=_LINE)


def _fill(colour: Colour | None, width: int, height: int) -> Image.Image:
    if colour is None:
        return Image.fromarray(hatch(height, width))
    return Image.new("RGB", (width, height), colour)


# Entries in columns at least as wide as the longest; each comes with its left edge.
def _legend_rows(legend: Sequence[LegendEntry], room: int) -> list[list[tuple[int, LegendEntry]]]:
    longest = max((_entry_width(entry) for entry in legend), default=0)
    columns = max(1, min(len(legend), (room + _GAP) // (longest + _GAP)))
    # Rows of equal length: five and one become three and three.
    columns = math.ceil(len(legend) / max(1, math.ceil(len(legend) / columns)))
    step = (room + _GAP) // max(columns, 1)
    return [
        [(index * step, entry) for index, entry in enumerate(legend[start : start + columns])]
        for start in range(0, len(legend), max(columns, 1))
    ]


def _entry_width(entry: LegendEntry) -> int:
    return _SWATCH + 24 + _text_width(entry.name, _TEXT) + _text_width(entry.percent, _TEXT)


def _draw_legend(
    image: Image.Image, rows: Sequence[Sequence[tuple[int, LegendEntry]]], place: Place
) -> None:
    draw = ImageDraw.Draw(image)
    font = _font(_TEXT)
    for index, row in enumerate(rows):
        top = place[1] + index * _ROW_HEIGHT
        for offset, entry in row:
            left = place[0] + offset
            image.paste(_fill(entry.colour, _SWATCH, _SWATCH), (left, top))
            draw.rectangle((left - 1, top - 1, left + _SWATCH, top + _SWATCH), outline=_LINE)
            left += _SWATCH + 12
            draw.text((left, top - 1), entry.name, fill=_INK, font=font)
            left += _text_width(entry.name, _TEXT) + 12
            draw.text((left, top - 1), entry.percent, fill=_SOFT_INK, font=font)
