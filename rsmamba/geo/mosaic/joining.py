"""From placed maps to the pixels of a mosaic, window by window in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.mosaic.reading import MapSource, OpenMaps
from rsmamba.geo.mosaic.rules import Joiner, Rule, UInt8Array, make_joiner
from rsmamba.geo.window import Window
from rsmamba.geo.writer import RasterSink

Progress = Callable[[int, int], None]
_ROWS, _COLS = 512, 2048
# What counting the votes of all classes in one window may take.
_CLAIM_BYTES = 2**26
_FEWEST_ROWS, _FEWEST_COLS = 64, 512


def joined_windows(
    sources: Sequence[MapSource],
    grid: GeoGrid,
    *,
    rule: Rule,
    num_classes: int,
    shape: tuple[int, int] | None = None,
) -> Iterator[tuple[Window, UInt8Array | None]]:
    """Join maps window by window.

    Args:
        sources: The maps in the order of the inputs.
        grid: Grid of the mosaic.
        rule: What a pixel gets where maps overlap.
        num_classes: Number of classes.
        shape: Rows and columns of a window; the result does not depend on it. None chooses.

    Yields:
        Windows that cover the mosaic, from top to bottom, and the class indices in each (h, w),
        255 where no map has a class; None where there is no map.

    Raises:
        SceneError: If a map cannot be read.
    """
    rows, cols = shape or _window_shape(rule, num_classes)
    ordered = list(reversed(sources)) if rule == "last" else list(sources)
    edges = _edges_of(ordered)
    with closing(OpenMaps(num_classes=num_classes)) as maps:
        for row in range(0, grid.height, rows):
            height = min(rows, grid.height - row)
            in_rows = _touching(edges[:, :2], row, row + height)
            for col in range(0, grid.width, cols):
                width = min(cols, grid.width - col)
                window = Window(row=row, col=col, height=height, width=width)
                found = in_rows[_touching(edges[in_rows, 2:], col, col + width)]
                if not len(found):
                    yield window, None
                    continue
                joiner = make_joiner(rule, height=height, width=width, num_classes=num_classes)
                for index in found:
                    _add(joiner, ordered[index], window, grid, maps)
                    if joiner.is_full:
                        break
                yield window, joiner.result()


def _add(joiner: Joiner, source: MapSource, window: Window, grid: GeoGrid, maps: OpenMaps) -> None:
    shared = window.intersection(source.place.window)
    if shared is None:
        return
    classes, confidence = maps.read(source, shared, grid)
    joiner.add(shared.shifted(rows=-window.row, cols=-window.col), classes, confidence)


def write_joined(
    sink: RasterSink, windows: Iterator[tuple[Window, UInt8Array | None]], progress: Progress | None
) -> Path:
    """Write a mosaic; it appears whole or not at all.

    Args:
        sink: The output, empty.
        windows: What to write, from ``joined_windows``.
        progress: Called with finished and total pixels as the work goes on.

    Returns:
        The output.
    """
    done, total = 0, sink.grid.window.num_pixels
    for window, classes in windows:
        # What is never written has no class, and costs nothing.
        if classes is not None:
            sink.write(classes, row=window.row, col=window.col)
        done += window.num_pixels
        if progress is not None:
            progress(done, total)
    sink.prepare()
    return sink.publish()


def _window_shape(rule: Rule, num_classes: int) -> tuple[int, int]:
    rows, cols = _ROWS, _COLS
    layer_bytes = 8 * num_classes if rule == "majority" else 1
    while rows * cols * layer_bytes > _CLAIM_BYTES and cols > _FEWEST_COLS:
        cols //= 2
    while rows * cols * layer_bytes > _CLAIM_BYTES and rows > _FEWEST_ROWS:
        rows //= 2
    return rows, cols


def _edges_of(sources: Sequence[MapSource]) -> NDArray[np.int64]:
    """Return first and last row and column of each map (n, 4), last ones excluded."""
    windows = [source.place.window for source in sources]
    edges = [(one.row, one.row_stop, one.col, one.col_stop) for one in windows]
    return np.array(edges, dtype=np.int64).reshape(-1, 4)


def _touching(spans: NDArray[np.int64], start: int, stop: int) -> NDArray[np.intp]:
    return np.flatnonzero((spans[:, 0] < stop) & (spans[:, 1] > start))
