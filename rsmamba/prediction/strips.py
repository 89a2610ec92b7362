"""StripReader: the pixels of one tile row after another, each read from the file once.

Axes: C bands, then rows, then columns.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rsmamba.geo.scene import Pixels
from rsmamba.geo.window import Window


class PixelSource(Protocol):
    """What tiles are cut from: a scene, or a resampled view of one."""

    @property
    def num_bands(self) -> int:
        """Bands C that a read returns."""

    @property
    def dtype(self) -> str:
        """NumPy name of the type that a read returns."""

    def read(self, window: Window) -> Pixels:
        """Read pixels and their valid mask.

        Args:
            window: What to read.

        Returns:
            Values (C, h, w) and valid mask (h, w).
        """


class StripReader:
    """Holds the pixels of one tile row, full width, and moves down the scene.

    Files are often stored in full-width strips, so reading tile by tile would decode each strip
    once a tile; and rows that two tile rows share stay in memory.

    Args:
        source: Where pixels come from.
        first_col: First column that is wanted.
        width: Columns that are wanted.
        height: Rows of a tile.

    Attributes:
        values: Pixels (C, height, width) in the type of the source.
        valid: Valid mask (height, width).
    """

    def __init__(self, source: PixelSource, *, first_col: int, width: int, height: int) -> None:
        shape = (source.num_bands, height, width)
        self.values: npt.NDArray[Any] = np.empty(shape, dtype=source.dtype)
        self.valid = np.zeros(shape[1:], dtype=np.bool_)
        self._source = source
        self._first_col = first_col
        self._row: int | None = None

    @property
    def num_bytes(self) -> int:
        """Memory that is held, bytes."""
        return self.values.nbytes + self.valid.nbytes

    def move_to(self, row: int) -> None:
        """Bring another tile row into memory.

        Args:
            row: First row of the tile row, not above the one before.
        """
        height, width = self.valid.shape
        moved = height if self._row is None else min(row - self._row, height)
        keep = height - moved
        for plane in (*self.values, self.valid):
            plane[:keep] = plane[moved:]
        window = Window(row=row + keep, col=self._first_col, height=moved, width=width)
        if moved:
            pixels = self._source.read(window)
            self.values[:, keep:] = pixels.values
            self.valid[keep:] = pixels.valid
        self._row = row
