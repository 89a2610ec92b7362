"""RowBuffer: whole storage blocks come out, whatever heights go in."""

import numpy as np
import pytest

from rsmamba.geo.row_buffer import RowBuffer
from rsmamba.geo.window import Window


@pytest.mark.parametrize("heights", [[100], [1] * 100, [7, 50, 43], [64, 36]])
def test_rows_come_out_in_blocks_and_in_order(heights: list[int]) -> None:
    pixels = np.arange(100 * 5, dtype=np.uint16).reshape(1, 100, 5)
    buffer = RowBuffer(num_bands=1, block_rows=16, dtype="uint16")
    written = np.zeros_like(pixels)
    windows: list[Window] = []
    row = 0
    for height in heights:
        for block, window in buffer.add(pixels[:, row : row + height], row=row, col=0):
            windows.append(window)
            written[:, *window.slices] = block
        row += height
    for block, window in buffer.rest():
        windows.append(window)
        written[:, *window.slices] = block
    np.testing.assert_array_equal(written, pixels)
    assert [window.height for window in windows] == [16] * 6 + [4]
    assert all(window.row % 16 == 0 for window in windows)


def test_another_column_block_sends_out_what_waits() -> None:
    buffer = RowBuffer(num_bands=2, block_rows=16, dtype="uint8")
    left = np.full((2, 10, 8), 1, np.uint8)
    right = np.full((2, 20, 4), 2, np.uint8)
    assert list(buffer.add(left, row=0, col=0)) == []
    windows = [window for _, window in buffer.add(right, row=0, col=8)]
    assert windows == [
        Window(row=0, col=0, height=10, width=8),
        Window(row=0, col=8, height=16, width=4),
    ]


def test_rows_that_begin_inside_a_block_end_with_it() -> None:
    buffer = RowBuffer(num_bands=1, block_rows=16, dtype="uint8")
    windows = [w for _, w in buffer.add(np.zeros((1, 10, 3), np.uint8), row=10, col=0)]
    assert windows == [Window(row=10, col=0, height=6, width=3)]
