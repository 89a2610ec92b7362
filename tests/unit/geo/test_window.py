"""Windows: stops, shared parts, shifts and the way to rasterio and back."""

import numpy as np
import pytest
from rasterio.windows import Window as RasterioWindow

from rsmamba.errors import OptionError
from rsmamba.geo.window import Window


def test_slices_cut_the_window_out_of_an_array() -> None:
    pixels = np.arange(20).reshape(4, 5)
    window = Window(row=1, col=2, height=2, width=3)
    assert pixels[window.slices].tolist() == [[7, 8, 9], [12, 13, 14]]
    assert window.num_pixels == 6


def test_windows_that_only_touch_share_nothing() -> None:
    left = Window(row=0, col=0, height=4, width=4)
    assert left.intersection(left.shifted(cols=4)) is None
    assert left.intersection(left.shifted(rows=4)) is None


def test_shared_part_is_the_same_from_both_sides() -> None:
    first = Window(row=0, col=0, height=4, width=4)
    second = first.shifted(rows=-1, cols=2)
    shared = Window(row=0, col=2, height=3, width=2)
    assert first.intersection(second) == second.intersection(first) == shared
    assert first.contains(shared)
    assert not first.contains(second)


def test_rasterio_windows_survive_the_round_trip() -> None:
    window = Window(row=7, col=3, height=5, width=11)
    assert window.to_rasterio() == RasterioWindow(col_off=3, row_off=7, width=11, height=5)
    assert Window.from_rasterio(window.to_rasterio()) == window


def test_fractions_of_pixels_are_rounded_at_both_ends() -> None:
    fraction = RasterioWindow(col_off=0.4, row_off=1.6, width=2.2, height=2.2)
    assert Window.from_rasterio(fraction) == Window(row=2, col=0, height=2, width=3)


def test_negative_sides_are_refused() -> None:
    with pytest.raises(OptionError, match="-3 px wide and 4 px high; give sides of zero or more"):
        Window(row=0, col=0, height=4, width=-3)
