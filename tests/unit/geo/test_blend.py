"""Blend weights are a partition of unity that distrusts inner tile edges."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmamba.errors import OptionError
from rsmamba.geo.blend import axis_weights, touching_spans
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window


def summed(
    starts: tuple[int, ...], weights: npt.NDArray[np.float32], length: int
) -> npt.NDArray[np.float64]:
    total = np.zeros(length)
    for start, row in zip(starts, weights, strict=True):
        total[start : start + len(row)] += row
    return total


@settings(deadline=None)
@given(st.data())
def test_weights_sum_to_one_for_every_legal_grid(data: st.DataObject) -> None:
    tile = data.draw(st.integers(1, 60), label="tile")
    overlap = data.draw(st.integers(0, tile - 1), label="overlap")
    length = data.draw(st.integers(1, 300), label="length")
    margin = data.draw(st.integers(0, 70), label="margin")
    tiles = TileGrid(height=1, width=length, tile=tile, overlap=overlap)
    weights = axis_weights(tiles.col_starts, tiles.tile_width, length, margin=margin)
    assert weights.dtype == np.float32
    assert weights.min() >= 0
    assert weights.max() <= 1
    np.testing.assert_allclose(summed(tiles.col_starts, weights, length), 1, atol=1e-6)


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), max_size=12), st.integers(0, 12))
def test_weights_sum_to_one_for_any_starts(steps: list[int], margin: int) -> None:
    starts = (0, *(int(start) for start in np.cumsum(steps)))
    length = starts[-1] + 12
    weights = axis_weights(starts, 12, length, margin=margin)
    np.testing.assert_allclose(summed(starts, weights, length), 1, atol=1e-6)


def test_weights_are_zero_in_the_margin_and_one_at_the_frame() -> None:
    first, middle, last = axis_weights((0, 448, 896), 512, 1408, margin=16)
    assert (first[-16:] == 0).all()
    assert (middle[:16] == 0).all()
    assert (middle[-16:] == 0).all()
    assert (last[:16] == 0).all()
    assert (first[:464] == 1).all()
    assert (last[48:] == 1).all()


def test_weights_rise_as_a_raised_cosine_between_the_margins() -> None:
    weights = axis_weights((0, 8), 16, 24, margin=2)[1]
    phase = (np.arange(4) + 0.5) / 4
    np.testing.assert_allclose(weights[2:6], 0.5 - 0.5 * np.cos(np.pi * phase), atol=1e-7)
    assert (weights[:2] == 0).all()
    assert (weights[6:] == 1).all()


def test_the_margin_is_cut_to_half_of_the_overlap() -> None:
    assert axis_weights((0, 8), 8, 16, margin=5).tolist() == [[1.0] * 8] * 2
    first, second = axis_weights((0, 4), 8, 12, margin=5)
    assert first.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert second.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_spans_leave_out_tiles_that_only_touch_with_their_margin() -> None:
    tiles = TileGrid(height=40, width=40, tile=16, overlap=8)
    region = Window(row=0, col=10, height=1, width=4)
    rows, cols = touching_spans(tiles, margin=2, region=region)
    assert list(rows) == [0]
    assert list(cols) == [0, 1]
    assert (cols[0].scene_start, cols[0].scene_stop) == (10, 14)
    assert (cols[1].scene_start, cols[1].scene_stop, cols[1].tile_start) == (10, 14, 2)


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(OptionError, match="margin -1 is negative; give 0 px or more"):
        axis_weights((0,), 8, 8, margin=-1)


@pytest.mark.parametrize("starts", [(), (1, 8), (0, 9), (0, 8, 8), (0,)])
def test_tiles_with_a_gap_are_refused(starts: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="do not cover 16 px in order"):
        axis_weights(starts, 8, 16, margin=0)


def test_a_region_outside_the_scene_is_refused() -> None:
    tiles = TileGrid(height=40, width=40, tile=16, overlap=8)
    with pytest.raises(OptionError, match="is not a part of the scene of 40 x 40 px"):
        touching_spans(tiles, margin=0, region=Window(row=30, col=0, height=11, width=4))
