"""PaintedClasses: class values of a raster that paints each class in a colour of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import Colour
from rsmamba.errors import DataError
from rsmamba.geo.colours import decode_colours, pack_colours, unpack_colour
from rsmamba.geo.nodata import BoolArray
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

UnknownColour = Literal["fail", "ignore"]
_NONE = -1
# Rows that are searched at once; colours of a wide raster take several numbers a pixel meanwhile.
_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting:
    """What the colours of a raster mean.

    Attributes:
        values: Value by colour.
        ignored: Colours that mean nothing; one that has a value keeps it.
        unknown: What to do with any other colour.
    """

    values: Mapping[Colour, int]
    ignored: Sequence[Colour] = ()
    unknown: UnknownColour = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownColours:
    """Pixels of a raster whose colour is no class.

    Attributes:
        num_pixels: Number of such pixels.
        num_colours: Number of different colours of them.
        row: Row of the first one.
        col: Column of the first one.
        colour: Colour of the first one.
    """

    num_pixels: int
    num_colours: int
    row: int
    col: int
    colour: Colour

    def describe(self) -> str:
        """Say how many there are and where the first is.

        Returns:
            Part of a sentence.
        """
        return (
            f"{self.num_pixels} pixels in {self.num_colours} colours that are not in the palette, "
            f"the first {self.colour} at row {self.row}, col {self.col}"
        )


class PaintedClasses:
    """Reads class values by colour; every colour is met exactly or not at all.

    Args:
        scene: The open raster; its bands are red, green and blue bytes.
        painting: What the colours mean.
        advice: How to leave unknown colours out, for the error.
    """

    def __init__(self, scene: Scene, painting: Painting, *, advice: str) -> None:
        self.scene = scene
        self.painting = painting
        self._advice = advice
        self._values = dict(painting.values)
        for colour in painting.ignored:
            self._values.setdefault(colour, _NONE)

    def read(self, window: Window) -> tuple[NDArray[np.int64], BoolArray]:
        """Read a window.

        Args:
            window: What to read.

        Returns:
            Values (h, w), and where there is one (h, w).

        Raises:
            DataError: If there is an unknown colour and `unknown` is "fail".
            SceneError: If the file is damaged there.
        """
        values, known, _ = self._decode(window)
        if self.painting.unknown == "fail" and not known.all():
            raise DataError(self._complaint())
        return values, known & (values != _NONE)

    def unknown_colours(self) -> UnknownColours:
        """Go through the whole raster and count what is not in the palette.

        Returns:
            The count, and the first place.
        """
        count, colours, first = 0, set[int](), None
        grid = self.scene.grid
        for window in strips(height=grid.height, width=grid.width, rows=_ROWS):
            _, known, packed = self._decode(window)
            if known.all():
                continue
            rows, cols = np.nonzero(~known)
            count += rows.size
            colours |= set(np.unique(packed[~known]).tolist())
            if first is None:
                place = int(rows[0]) + window.row, int(cols[0])
                first = (*place, unpack_colour(int(packed[rows[0], cols[0]])))
        row, col, colour = first or (0, 0, (0, 0, 0))
        return UnknownColours(
            num_pixels=count, num_colours=len(colours), row=row, col=col, colour=colour
        )

    def _decode(self, window: Window) -> tuple[NDArray[np.int64], BoolArray, NDArray[np.uint32]]:
        pixels = self.scene.read(window)
        values, known = decode_colours(pixels.values, self._values)
        # A transparent pixel has no colour: it is padding, not an unknown class.
        values[~(known & pixels.valid)] = _NONE
        return values, known | ~pixels.valid, pack_colours(pixels.values)

    def _complaint(self) -> str:
        allowed = ", ".join(str(colour) for colour in self._values)
        return (
            f"{self.scene.path} has {self.unknown_colours().describe()}; allowed are {allowed}; "
            f"correct the file, or {self._advice} to leave such pixels out"
        )


def strips(*, height: int, width: int, rows: int = 1024) -> Iterator[Window]:
    """Cut a raster into strips of whole rows, so that its height does not matter.

    Args:
        height: Rows of the raster.
        width: Columns of the raster.
        rows: Rows of a strip.

    Yields:
        Windows from top to bottom.
    """
    for row in range(0, height, rows):
        yield Window(row=row, col=0, height=min(rows, height - row), width=width)
