"""Tile grids cover a scene with tiles of one shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmamba.errors import OptionError
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window


@st.composite
def tile_grids(draw: st.DrawFn) -> TileGrid:
    tile = draw(st.integers(1, 40))
    return TileGrid(
        height=draw(st.integers(1, 90)),
        width=draw(st.integers(1, 90)),
        tile=tile,
        overlap=draw(st.integers(0, tile - 1)),
    )


@settings(deadline=None)
@given(tile_grids())
def test_tiles_cover_every_pixel_and_stay_inside(tiles: TileGrid) -> None:
    hits = np.zeros((tiles.height, tiles.width), dtype=int)
    for window in tiles.windows():
        assert tiles.scene_window.contains(window)
        hits[window.slices] += 1
    assert hits.min() >= 1
    assert hits.sum() == len(tiles) * tiles.tile_height * tiles.tile_width


@settings(deadline=None)
@given(tile_grids())
def test_neighbours_share_at_least_the_overlap(tiles: TileGrid) -> None:
    shared = tiles.tile_width - np.diff(tiles.col_starts)
    assert (shared[:-1] == tiles.overlap).all()
    assert (shared[-1:] >= tiles.overlap).all()
    assert (np.diff(tiles.col_starts) > 0).all()


def test_the_last_tile_is_pulled_back_to_the_edge() -> None:
    tiles = TileGrid(height=600, width=1025, tile=512, overlap=128)
    assert tiles.row_starts == (0, 88)
    assert tiles.col_starts == (0, 384, 513)
    assert tiles.window(1, 2) == Window(row=88, col=513, height=512, width=512)


def test_a_short_side_has_one_tile_of_its_own_length() -> None:
    tiles = TileGrid(height=1, width=700, tile=512, overlap=64)
    assert (tiles.tile_height, tiles.tile_width) == (1, 512)
    assert (tiles.num_rows, tiles.num_cols, len(tiles)) == (1, 2, 2)


def test_a_scene_of_exactly_one_tile_has_one_tile() -> None:
    assert len(TileGrid(height=512, width=512, tile=512, overlap=511)) == 1


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (0, 0, "tile 0 is not a size; give at least 1 px"),
        (64, -1, "overlap -1 is negative; give 0 to 63 px"),
        (64, 64, "overlap 64 does not fit a tile of 64 px; give an overlap of 0 to 63 px"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(tile: int, overlap: int, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TileGrid(height=100, width=100, tile=tile, overlap=overlap)


def test_an_empty_scene_is_refused() -> None:
    with pytest.raises(OptionError, match="scene of 7 x 0 px cannot be tiled"):
        TileGrid(height=0, width=7, tile=64, overlap=0)
