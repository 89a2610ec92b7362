"""Tiles are read once, in order, and grouped evenly."""

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.scene import Pixels
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window
from rsmamba.prediction.batches import TileBatch, TileSource, evenly_grouped
from rsmamba.prediction.region import Region


class Paper:
    """A source in memory that counts how often each pixel is read."""

    def __init__(self, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> None:
        self.values, self.valid = values, valid
        self.num_bands, self.dtype = len(values), values.dtype.name
        self.reads = np.zeros(valid.shape, dtype=int)

    def read(self, window: Window) -> Pixels:
        """Read and count."""
        self.reads[window.slices] += 1
        return Pixels(values=self.values[:, *window.slices], valid=self.valid[window.slices])


def source_and_paper(*, batch_size: int = 3) -> tuple[TileSource, Paper]:
    values = np.arange(2 * 40 * 70, dtype=np.uint16).reshape(2, 40, 70)
    valid = np.ones((40, 70), dtype=bool)
    valid[:16, 30:] = False
    paper = Paper(values, valid)
    grid = GeoGrid(height=40, width=70)
    source = TileSource(
        source=paper,
        tiles=TileGrid(height=40, width=70, tile=16, overlap=4),
        margin=2,
        region=Region(window=grid.window, grid=grid),
        stretch=None,
        batch_size=batch_size,
    )
    return source, paper


def test_tiles_hold_the_pixels_of_their_window() -> None:
    source, paper = source_and_paper()
    for batch in source.batches(source.region.window):
        for place, col_index in enumerate(batch.col_indices):
            rows, cols = source.tiles.window(batch.row_index, col_index).slices
            np.testing.assert_array_equal(batch.pixels[place], paper.values[:, rows, cols])
            np.testing.assert_array_equal(batch.valid[place], paper.valid[rows, cols])
            np.testing.assert_array_equal(batch.wanted[place], paper.valid[rows, cols])


def test_no_pixel_is_read_twice() -> None:
    source, paper = source_and_paper()
    assert len(list(source.batches(source.region.window))) > 3
    assert (paper.reads == 1).all()


def test_a_block_reads_only_the_columns_that_it_needs() -> None:
    source, paper = source_and_paper()
    list(source.batches(Window(row=0, col=0, height=40, width=10)))
    assert (paper.reads[:, :16] == 1).all()
    assert (paper.reads[:, 16:] == 0).all()


def test_every_tile_comes_once_or_is_skipped_and_every_row_ends() -> None:
    source, _ = source_and_paper()
    batches = list(source.batches(source.region.window))
    places = [(batch.row_index, col) for batch in batches for col in batch.col_indices]
    assert places == sorted(places)
    skipped = sum(batch.num_skipped for batch in batches)
    assert len(places) + skipped == len(source.tiles)
    # Tile columns 3 to 5 see only masked pixels in the first row.
    assert skipped == 3
    assert [batch.row_index for batch in batches if batch.ends_row] == [0, 1, 2]


def test_a_row_without_a_tile_still_ends() -> None:
    source, paper = source_and_paper()
    paper.valid[:] = False
    batches: list[TileBatch] = list(source.batches(source.region.window))
    assert [batch.col_indices for batch in batches] == [(), (), ()]
    assert all(batch.ends_row for batch in batches)


@given(st.integers(0, 40), st.integers(1, 20))
def test_groups_are_few_and_even(count: int, size: int) -> None:
    groups = evenly_grouped(list(range(count)), size=size)
    assert [index for group in groups for index in group] == list(range(count))
    lengths = [len(group) for group in groups]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    assert len(groups) == max(-(-count // size), 1)
