"""What of a window is left to do."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from rsmamba.geo.window import Window

Runs = tuple[tuple[int, int], ...]


def uncovered(window: Window, done: Sequence[Window]) -> list[Window]:
    """Return the parts of a window that other windows leave free.

    Args:
        window: The whole.
        done: Windows that are done; they may overlap each other and reach outside.

    Returns:
        Windows without overlap, as wide as they can be, from left to right and top to bottom.

    Example:
        >>> whole = Window(row=0, col=0, height=9, width=5)
        >>> uncovered(whole, [Window(row=0, col=0, height=4, width=5)])
        [Window(row=4, col=0, height=5, width=5)]
    """
    inside = [part for part in map(window.intersection, done) if part is not None]
    edges = sorted({window.col, window.col_stop, *_col_edges(inside)})
    columns: list[tuple[int, int, Runs]] = []
    for col, col_stop in pairwise(edges):
        runs = _free_rows(window, [part for part in inside if part.col <= col < part.col_stop])
        joins = bool(columns) and columns[-1][2] == runs
        columns.append((columns.pop()[0] if joins else col, col_stop, runs))
    return [
        Window(row=row, col=col, height=row_stop - row, width=col_stop - col)
        for col, col_stop, runs in columns
        for row, row_stop in runs
    ]


def _col_edges(windows: Sequence[Window]) -> Iterator[int]:
    for window in windows:
        yield window.col
        yield window.col_stop


def _free_rows(window: Window, done: Sequence[Window]) -> Runs:
    runs, row = [], window.row
    for part in sorted(done, key=lambda part: part.row):
        if part.row > row:
            runs.append((row, part.row))
        row = max(row, part.row_stop)
    if row < window.row_stop:
        runs.append((row, window.row_stop))
    return tuple(runs)
