"""From a scene to batches of tiles, row by row.

Axes: B tiles, C bands, h rows, w columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rsmamba.geo.blend import Span, touching_spans
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window
from rsmamba.prediction.region import Region
from rsmamba.prediction.stretch import Stretch
from rsmamba.prediction.strips import PixelSource, StripReader

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TileBatch:
    """Tiles of one tile row that the network computes together.

    Attributes:
        row_index: Their tile row.
        col_indices: Their tile columns; empty if every tile of the row is skipped.
        pixels: Pixel values (B, C, h, w), float32.
        valid: True where the network may use a pixel (B, h, w).
        wanted: True where the map gets a class (B, h, w).
        num_skipped: Tiles of the row that are not computed, told with its last batch.
        ends_row: True for the last batch of the row.
    """

    row_index: int
    col_indices: tuple[int, ...]
    pixels: npt.NDArray[np.float32]
    valid: BoolArray
    wanted: BoolArray
    num_skipped: int
    ends_row: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TileSource:
    """Cuts tiles out of a scene.

    Attributes:
        source: Where pixels come from.
        tiles: The tiles of the whole scene.
        margin: Pixels next to inner tile edges that are not used.
        region: The part of the scene that is wanted.
        stretch: What happens to pixel values; None for nothing.
        batch_size: Most tiles of a batch.
    """

    source: PixelSource
    tiles: TileGrid
    margin: int
    region: Region
    stretch: Stretch | None
    batch_size: int

    def batches(self, block: Window) -> Iterator[TileBatch]:
        """Yield the tiles that a column block needs, from top to bottom.

        Tiles without a wanted pixel are left out.

        Args:
            block: The part of the region that is computed in this pass.

        Yields:
            At least one batch for each tile row.
        """
        row_spans, col_spans = touching_spans(self.tiles, margin=self.margin, region=block)
        first_col = self.tiles.col_starts[min(col_spans)]
        last_col = self.tiles.col_starts[max(col_spans)] + self.tiles.tile_width
        strip = StripReader(
            self.source,
            first_col=first_col,
            width=last_col - first_col,
            height=self.tiles.tile_height,
        )
        for row_index, row_span in row_spans.items():
            row = self.tiles.row_starts[row_index]
            strip.move_to(row)
            wanted = self._wanted(strip, row=row, first_col=first_col)
            computed = [
                col_index
                for col_index, col_span in col_spans.items()
                if self._is_needed(wanted, row_span, col_span, first_col=first_col)
            ]
            num_skipped = len(col_spans) - len(computed)
            groups = evenly_grouped(computed, size=self.batch_size)
            for group in groups:
                is_last = group is groups[-1]
                yield self._cut(
                    strip,
                    wanted,
                    row_index=row_index,
                    col_indices=group,
                    first_col=first_col,
                    num_skipped=num_skipped if is_last else 0,
                    ends_row=is_last,
                )

    def _wanted(self, strip: StripReader, *, row: int, first_col: int) -> BoolArray:
        height, width = strip.valid.shape
        window = Window(row=row, col=first_col, height=height, width=width)
        inside = self.region.wanted(window)
        return strip.valid if inside is None else strip.valid & inside

    def _is_needed(
        self, wanted: BoolArray, row_span: Span, col_span: Span, *, first_col: int
    ) -> bool:
        return bool(wanted[row_span.in_tile, col_span.in_strip(first_col)].any())

    def _cut(
        self,
        strip: StripReader,
        wanted: BoolArray,
        *,
        row_index: int,
        col_indices: tuple[int, ...],
        first_col: int,
        num_skipped: int,
        ends_row: bool,
    ) -> TileBatch:
        bands, height, width = len(strip.values), self.tiles.tile_height, self.tiles.tile_width
        pixels = np.empty((len(col_indices), bands, height, width), dtype=np.float32)
        valid = np.empty((len(col_indices), height, width), dtype=np.bool_)
        inside = np.empty_like(valid)
        for place, col_index in enumerate(col_indices):
            start = self.tiles.col_starts[col_index] - first_col
            cols = slice(start, start + width)
            # A float64 beyond float32 becomes infinite; the network's output is checked.
            with np.errstate(over="ignore"):
                pixels[place] = strip.values[:, :, cols]
            valid[place], inside[place] = strip.valid[:, cols], wanted[:, cols]
            if self.stretch is not None:
                self.stretch.apply(pixels[place])
        return TileBatch(
            row_index=row_index,
            col_indices=col_indices,
            pixels=pixels,
            valid=valid,
            wanted=inside,
            num_skipped=num_skipped,
            ends_row=ends_row,
        )


def evenly_grouped(indices: list[int], *, size: int) -> list[tuple[int, ...]]:
    """Split tiles into as few groups as a size allows, all about equally large.

    Args:
        indices: Tile columns.
        size: Most tiles of a group.

    Returns:
        The groups in order; one empty group if there is no tile.

    Example:
        >>> evenly_grouped([0, 1, 2, 3, 4], size=4)
        [(0, 1, 2), (3, 4)]
    """
    count = max(-(-len(indices) // size), 1)
    short, longer = divmod(len(indices), count)
    groups, start = [], 0
    for number in range(count):
        stop = start + short + (number < longer)
        groups.append(tuple(indices[start:stop]))
        start = stop
    return groups
