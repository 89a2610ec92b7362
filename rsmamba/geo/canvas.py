"""The score canvas: blends overlapping tiles into finished rows in a rolling strip.

Axes: K channels, then rows, then columns.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rsmamba.errors import OptionError, ShapeError
from rsmamba.geo.blend import Span, touching_spans, wanted_part
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window

Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
# Up to so many tiles a pixel, sums of float32 keep a constant to 1e-6; beyond, float64 is needed.
_MOST_TILES_IN_FLOAT32 = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRows:
    """Rows that no later tile touches; views into the canvas, valid until its next ``add``.

    Attributes:
        window: Where the rows lie in the scene, pixels; its height can be 0.
        scores: Blended scores (K, height, width).
        valid: True where a tile said that the pixel may be used (height, width).
    """

    window: Window
    scores: Scores
    valid: Mask


class ScoreCanvas:
    """Blends the scores of tiles that arrive row by row, and hands rows out as they finish.

    Memory is one strip of at most K x tile height x region width float32 values, allocated once
    (float64 where more than 25 tiles share a pixel). Tile rows come in increasing order, each after
    ``finished`` of the one before, and within a row tile columns too: then the sums are the same
    bits however the work is cut into batches, column blocks or windows.

    Args:
        tiles: The tiles of the whole scene.
        channels: Channels K of the scores.
        margin: Pixels next to an inner tile edge whose weight is zero.
        region: The window of the scene that is wanted; None is the whole scene.

    Attributes:
        tiles: The tiles of the whole scene.
        region: The window of the scene that is wanted.
        row_spans: The tile rows whose weight reaches into the region, by row index.
        col_spans: The tile columns whose weight reaches into the region, by column index.
    """

    def __init__(
        self, tiles: TileGrid, *, channels: int, margin: int, region: Window | None = None
    ) -> None:
        self.tiles = tiles
        self.region = wanted_part(tiles, region)
        self.row_spans, self.col_spans = touching_spans(tiles, margin=margin, region=region)
        # Rows above a tile row's first weight are handed out before the tile row comes.
        rows = max(len(span.weights) for span in self.row_spans.values())
        dtype = strip_dtype(tiles)
        self._strip = np.zeros((channels, rows, self.region.width), dtype=dtype)
        self._valid = np.zeros((rows, self.region.width), dtype=np.bool_)
        self._strip_row = self.region.row
        self._next_row = self.region.row
        self._filled_stop = self.region.row
        # The tile row that is being added. Its rows from ``_fresh_row`` on are filled only left of
        # ``_fresh_col``; to the right lies whatever an earlier part of the scene left there.
        self._row_index = min(self.row_spans)
        self._fresh_row = self.region.row
        self._fresh_col = self.region.col

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, h, w) of the scores of one tile."""
        return len(self._strip), self.tiles.tile_height, self.tiles.tile_width

    @property
    def num_bytes(self) -> int:
        """Memory of the strip, bytes."""
        return self._strip.nbytes + self._valid.nbytes

    def add(self, row_index: int, col_index: int, *, scores: Scores, valid: Mask) -> None:
        """Blend one tile's scores in.

        A tile without a valid pixel need not be added. Channels are blended one by one, so the
        extra memory is none.

        Args:
            row_index: Tile row.
            col_index: Tile column.
            scores: Scores (K, h, w); overwritten, so hand over an array that is not needed again.
            valid: True where the pixel may be used (h, w).

        Raises:
            OptionError: If the tile lies outside the region, or its rows or those above it are not
                what comes next.
            ShapeError: If the scores or the mask do not have a tile's shape.
        """
        self._check_tile(row_index, col_index, scores=scores, valid=valid)
        row_span, col_span = self.row_spans[row_index], self.col_spans[col_index]
        self._roll()
        if row_index != self._row_index:
            self._end_tile_row()
            self._row_index = row_index
        self._filled_stop = max(self._filled_stop, row_span.scene_stop)
        self._clear_fresh(col_span.scene_start)
        place = row_span.in_strip(self._strip_row), col_span.in_strip(self.region.col)
        # The first tile at a pixel is written, which costs half as much as clearing and adding.
        rows = max(self._fresh_row - row_span.scene_start, 0)
        cols = max(self._fresh_col - col_span.scene_start, 0)
        _put(self._valid[place], valid[row_span.in_tile, col_span.in_tile], rows=rows, cols=cols)
        for channel, tile_scores in zip(self._strip, scores, strict=True):
            part = tile_scores[row_span.in_tile, col_span.in_tile]
            _weigh(part, row_span, col_span)
            _put(channel[place], part, rows=rows, cols=cols)
        self._fresh_col = max(self._fresh_col, col_span.scene_stop)

    def finished(self, row_index: int) -> FinishedRows:
        """Hand out the rows that no tile row after this one touches.

        Args:
            row_index: Tile row whose last tile was added or skipped.

        Returns:
            The rows that were not handed out before; those of skipped tiles are not valid.
        """
        self._roll()
        later = [span.scene_start for index, span in self.row_spans.items() if index > row_index]
        stop = max(min(later, default=self.region.row_stop), self._next_row)
        rows = slice(self._next_row - self._strip_row, stop - self._strip_row)
        window = Window(
            row=self._next_row,
            col=self.region.col,
            height=stop - self._next_row,
            width=self.region.width,
        )
        self._next_row = stop
        self._filled_stop = max(self._filled_stop, stop)
        self._end_tile_row()
        scores = self._strip[:, rows].astype(np.float32, copy=False)
        return FinishedRows(window=window, scores=scores, valid=self._valid[rows])

    def _roll(self) -> None:
        """Move the unfinished rows to the top of the strip."""
        done = self._next_row - self._strip_row
        if done == 0:
            return
        keep = self._filled_stop - self._next_row
        # Channel by channel, because NumPy copies a source that shares memory with its target.
        for plane in (*self._strip, self._valid):
            plane[:keep] = plane[done : done + keep]
        self._strip_row = self._next_row

    def _end_tile_row(self) -> None:
        self._clear_fresh(self.region.col_stop)
        self._fresh_row, self._fresh_col = self._filled_stop, self.region.col

    def _clear_fresh(self, col_stop: int) -> None:
        """Clear the columns up to some column that no tile of this tile row wrote."""
        if col_stop <= self._fresh_col:
            return
        rows = slice(self._fresh_row - self._strip_row, self._filled_stop - self._strip_row)
        cols = slice(self._fresh_col - self.region.col, col_stop - self.region.col)
        for plane in (*self._strip, self._valid):
            plane[rows, cols] = 0
        self._fresh_col = col_stop

    def _check_tile(self, row_index: int, col_index: int, *, scores: Scores, valid: Mask) -> None:
        if row_index not in self.row_spans or col_index not in self.col_spans:
            message = (
                f"tile r{row_index} c{col_index} does not reach into the canvas; add tile rows "
                f"{_ends(self.row_spans)} and tile columns {_ends(self.col_spans)}"
            )
            raise OptionError(message)
        if self.row_spans[row_index].scene_start < self._next_row:
            message = (
                f"tile r{row_index} c{col_index} comes after its rows were handed out; "
                "add tile rows in increasing order"
            )
            raise OptionError(message)
        if self.row_spans[row_index].scene_stop - self._next_row > self._strip.shape[1]:
            message = (
                f"tile r{row_index} c{col_index} comes before the rows above it were handed out; "
                f"call finished({row_index - 1}) first"
            )
            raise OptionError(message)
        if scores.shape != self.shape or valid.shape != self.shape[1:]:
            message = (
                f"tile r{row_index} c{col_index} has scores {scores.shape} and mask {valid.shape}; "
                f"they must be {self.shape} and {self.shape[1:]}"
            )
            raise ShapeError(message)


def strip_dtype(tiles: TileGrid) -> np.dtype[np.floating[Any]]:
    """Return the type in which the scores of overlapping tiles are summed.

    Args:
        tiles: The tiles of the whole scene.

    Returns:
        float32, or float64 where so many tiles overlap that rounding would show.
    """
    down = _most_at_once(tiles.row_starts, tiles.tile_height)
    across = _most_at_once(tiles.col_starts, tiles.tile_width)
    return np.dtype(np.float32 if down * across <= _MOST_TILES_IN_FLOAT32 else np.float64)


def _most_at_once(starts: tuple[int, ...], size: int) -> int:
    """Return how many tiles cover the most covered position."""
    return max(bisect_left(starts, start + size) - index for index, start in enumerate(starts))


def _put(place: npt.NDArray[Any], part: npt.NDArray[Any], *, rows: int, cols: int) -> None:
    """Add to the first rows and, in the rows below them, to the first columns; write the rest."""
    place[:rows] += part[:rows]
    place[rows:, :cols] += part[rows:, :cols]
    place[rows:, cols:] = part[rows:, cols:]


def _weigh(part: Scores, row_span: Span, col_span: Span) -> None:
    """Multiply in place by the weights, leaving alone the middle where they are one."""
    rows, cols = row_span.plain, col_span.plain
    part[: rows.start] *= row_span.weights[: rows.start, None]
    part[rows.stop :] *= row_span.weights[rows.stop :, None]
    part[:, : cols.start] *= col_span.weights[: cols.start]
    part[:, cols.stop :] *= col_span.weights[cols.stop :]


def _ends(spans: dict[int, Span]) -> str:
    return f"{min(spans)} to {max(spans)}"
