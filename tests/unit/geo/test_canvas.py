"""The canvas blends tiles into the same rows however the work is cut."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmamba.errors import OptionError, ShapeError
from rsmamba.geo.canvas import ScoreCanvas, strip_dtype
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window

Array = npt.NDArray[np.float32]


def blended(tiles: TileGrid, scene: Array, *, margin: int, region: Window | None = None) -> Array:
    """Cut a scene of scores into tiles, blend them and put the finished rows together."""
    canvas = ScoreCanvas(tiles, channels=len(scene), margin=margin, region=region)
    bands = []
    for row_index in canvas.row_spans:
        for col_index in canvas.col_spans:
            window = tiles.window(row_index, col_index)
            canvas.add(
                row_index,
                col_index,
                scores=scene[:, *window.slices].copy(),
                valid=np.ones((window.height, window.width), dtype=np.bool_),
            )
        rows = canvas.finished(row_index)
        assert rows.valid.all()
        bands.append(rows.scores.copy())
    return np.concatenate(bands, axis=1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_goes_in_comes_out_for_every_legal_grid(data: st.DataObject) -> None:
    tile = data.draw(st.integers(1, 24), label="tile")
    tiles = TileGrid(
        height=data.draw(st.integers(1, 60), label="height"),
        width=data.draw(st.integers(1, 60), label="width"),
        tile=tile,
        overlap=data.draw(st.integers(0, tile - 1), label="overlap"),
    )
    margin = data.draw(st.integers(0, 30), label="margin")
    rows, cols = np.mgrid[: tiles.height, : tiles.width] % 7
    scene = np.stack([np.full(rows.shape, 0.9), rows / 7, cols / 7]).astype(np.float32)
    np.testing.assert_allclose(blended(tiles, scene, margin=margin), scene, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_region_holds_the_very_values_of_the_whole(data: st.DataObject) -> None:
    tiles = TileGrid(height=50, width=70, tile=16, overlap=data.draw(st.integers(0, 15)))
    row, col = data.draw(st.integers(0, 49)), data.draw(st.integers(0, 69))
    region = Window(
        row=row,
        col=col,
        height=data.draw(st.integers(1, 50 - row)),
        width=data.draw(st.integers(1, 70 - col)),
    )
    scene = np.random.default_rng(7).random((2, 50, 70), dtype=np.float32)
    whole = blended(tiles, scene, margin=3)
    part = blended(tiles, scene, margin=3, region=region)
    np.testing.assert_array_equal(part, whole[:, *region.slices])


def test_column_blocks_side_by_side_are_the_whole() -> None:
    tiles = TileGrid(height=30, width=100, tile=16, overlap=6)
    scene = np.random.default_rng(8).random((3, 30, 100), dtype=np.float32)
    blocks = [
        blended(tiles, scene, margin=2, region=Window(row=0, col=col, height=30, width=25))
        for col in (0, 25, 50, 75)
    ]
    whole = blended(tiles, scene, margin=2)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=2), whole)


def test_wrong_scores_in_the_margin_do_not_count() -> None:
    tiles = TileGrid(height=16, width=40, tile=16, overlap=8)
    canvas = ScoreCanvas(tiles, channels=1, margin=3)
    for col_index in canvas.col_spans:
        scores = np.full((1, 16, 16), 0.5, dtype=np.float32)
        scores[:, :, : 3 if col_index > 0 else 0] = 99
        scores[:, :, 13 if col_index < 3 else 16 :] = 99
        canvas.add(0, col_index, scores=scores, valid=np.ones((16, 16), dtype=np.bool_))
    np.testing.assert_allclose(canvas.finished(0).scores, 0.5, atol=1e-6)


def test_rows_come_once_from_top_to_bottom_and_skipped_tiles_are_not_valid() -> None:
    tiles = TileGrid(height=40, width=16, tile=16, overlap=8)
    canvas = ScoreCanvas(tiles, channels=1, margin=0)
    ones = np.ones((1, 16, 16), dtype=np.float32)
    canvas.add(0, 0, scores=ones.copy(), valid=ones[0].astype(np.bool_))
    windows, valid = [], []
    for row_index in range(tiles.num_rows):
        rows = canvas.finished(row_index)
        windows.append((rows.window.row, rows.window.row_stop))
        valid.append(rows.valid.copy())
    assert windows == [(0, 8), (8, 16), (16, 24), (24, 40)]
    assert [part.all() for part in valid] == [True, True, False, False]
    assert not np.concatenate(valid[2:]).any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_skipped_tiles_weigh_nothing_wherever_they_are(data: st.DataObject) -> None:
    tiles = TileGrid(height=60, width=50, tile=16, overlap=data.draw(st.integers(0, 15)))
    canvas = ScoreCanvas(tiles, channels=1, margin=2)
    expected = np.zeros((tiles.height, tiles.width))
    bands = []
    for row_index, row_span in canvas.row_spans.items():
        for col_index, col_span in canvas.col_spans.items():
            if data.draw(st.booleans()):
                continue
            ones = np.ones((1, 16, 16), dtype=np.float32)
            canvas.add(row_index, col_index, scores=ones, valid=ones[0].astype(np.bool_))
            place = row_span.in_strip(0), col_span.in_strip(0)
            expected[place] += np.outer(row_span.weights, col_span.weights)
        rows = canvas.finished(row_index)
        np.testing.assert_array_equal(rows.valid, rows.scores[0] > 0)
        bands.append(rows.scores[0].copy())
    np.testing.assert_allclose(np.concatenate(bands), expected, atol=1e-6)


def test_memory_does_not_grow_with_the_rows() -> None:
    def strip_bytes(height: int) -> int:
        tiles = TileGrid(height=height, width=50, tile=16, overlap=4)
        return ScoreCanvas(tiles, channels=6, margin=0).num_bytes

    assert strip_bytes(16) == strip_bytes(10_000) == 16 * 50 * (6 * 4 + 1)


def test_scores_are_summed_in_float64_only_where_many_tiles_overlap() -> None:
    usual = TileGrid(height=4000, width=4000, tile=512, overlap=384)
    deep = TileGrid(height=4000, width=4000, tile=512, overlap=480)
    assert strip_dtype(usual) == np.float32
    assert strip_dtype(deep) == np.float64


def test_tiles_out_of_order_are_refused() -> None:
    tiles = TileGrid(height=40, width=16, tile=16, overlap=8)
    canvas = ScoreCanvas(tiles, channels=1, margin=0)
    canvas.finished(0)
    tile = np.zeros((1, 16, 16), dtype=np.float32)
    with pytest.raises(OptionError, match="tile r0 c0 comes after its rows were handed out"):
        canvas.add(0, 0, scores=tile, valid=np.ones((16, 16), dtype=np.bool_))


def test_a_tile_row_before_the_last_is_finished_is_refused() -> None:
    tiles = TileGrid(height=64, width=16, tile=16, overlap=0)
    canvas = ScoreCanvas(tiles, channels=1, margin=0)
    tile = np.zeros((1, 16, 16), dtype=np.float32)
    with pytest.raises(OptionError, match=r"rows above it were handed out; call finished\(1\)"):
        canvas.add(2, 0, scores=tile, valid=np.ones((16, 16), dtype=np.bool_))


def test_tiles_outside_the_region_are_refused() -> None:
    tiles = TileGrid(height=40, width=64, tile=16, overlap=8)
    region = Window(row=0, col=0, height=40, width=10)
    canvas = ScoreCanvas(tiles, channels=1, margin=0, region=region)
    tile = np.zeros((1, 16, 16), dtype=np.float32)
    with pytest.raises(OptionError, match=r"r0 c5 does not reach .* columns 0 to 1"):
        canvas.add(0, 5, scores=tile, valid=np.ones((16, 16), dtype=np.bool_))


def test_scores_of_another_shape_are_refused() -> None:
    canvas = ScoreCanvas(TileGrid(height=9, width=9, tile=9, overlap=0), channels=2, margin=0)
    with pytest.raises(ShapeError, match=r"scores \(2, 9, 8\).*must be \(2, 9, 9\)"):
        canvas.add(
            0, 0, scores=np.zeros((2, 9, 8), dtype=np.float32), valid=np.ones((9, 9), dtype=bool)
        )
