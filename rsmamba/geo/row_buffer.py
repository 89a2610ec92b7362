"""RowBuffer: rows that wait for the rest of their storage block, so that none is stored twice."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmamba.geo.window import Window


class RowBuffer:
    """Collects rows until whole rows of storage blocks can be written.

    Args:
        num_bands: Bands of the raster.
        block_rows: Rows of a storage block.
        dtype: NumPy name of the raster's type.
    """

    def __init__(self, *, num_bands: int, block_rows: int, dtype: str) -> None:
        self._block_rows = block_rows
        self._rows: NDArray[Any] = np.empty((num_bands, block_rows, 0), dtype=dtype)
        self._window = Window(row=0, col=0, height=0, width=0)

    def add(
        self, pixels: NDArray[Any], *, row: int, col: int
    ) -> Iterator[tuple[NDArray[Any], Window]]:
        """Take rows in and yield what is ready; iterate to the end, or rows are lost.

        Args:
            pixels: Pixels ``(C, h, w)``.
            row: Their first row in the raster.
            col: Their first column in the raster.

        Yields:
            Pixels and where they go; the memory is used again after the next step.
        """
        _, height, width = pixels.shape
        follows = (row, col, width) == (self._window.row_stop, self._window.col, self._window.width)
        if not follows:
            yield from self.rest()
            self._begin(row=row, col=col, width=width)
        taken = 0
        while taken < height:
            filled = self._window.height
            room = self._block_rows - (self._window.row + filled) % self._block_rows
            count = min(room, height - taken)
            self._rows[:, filled : filled + count] = pixels[:, taken : taken + count]
            self._grow(count)
            taken += count
            if count == room:
                yield from self.rest()

    def rest(self) -> Iterator[tuple[NDArray[Any], Window]]:
        """Yield the rows that wait, and begin after them.

        Yields:
            Pixels and where they go.
        """
        if self._window.height:
            yield self._rows[:, : self._window.height], self._window
        self._window = Window(
            row=self._window.row_stop, col=self._window.col, height=0, width=self._window.width
        )

    def _begin(self, *, row: int, col: int, width: int) -> None:
        if width != self._rows.shape[2]:
            num_bands, block_rows, _ = self._rows.shape
            self._rows = np.empty((num_bands, block_rows, width), dtype=self._rows.dtype)
        self._window = Window(row=row, col=col, height=0, width=width)

    def _grow(self, rows: int) -> None:
        self._window = Window(
            row=self._window.row,
            col=self._window.col,
            height=self._window.height + rows,
            width=self._window.width,
        )
