"""What is left of a window is exactly what nothing covers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rsmamba.geo.remainder import uncovered
from rsmamba.geo.window import Window

WHOLE = Window(row=0, col=0, height=12, width=9)
WINDOWS = st.builds(
    Window,
    row=st.integers(0, 14),
    col=st.integers(0, 10),
    height=st.integers(0, 12),
    width=st.integers(0, 9),
)


@given(st.lists(WINDOWS, max_size=6))
def test_what_is_left_covers_the_rest_once(done: list[Window]) -> None:
    covered = np.zeros((40, 40), dtype=int)
    for window in done:
        covered[window.slices] = 1
    for window in uncovered(WHOLE, done):
        assert WHOLE.contains(window)
        covered[window.slices] += 1
    assert (covered[WHOLE.slices] == 1).all()


def test_nothing_done_leaves_the_whole() -> None:
    assert uncovered(WHOLE, []) == [WHOLE]


def test_equal_columns_are_joined() -> None:
    left = Window(row=0, col=0, height=5, width=4)
    right = Window(row=0, col=4, height=5, width=5)
    assert uncovered(WHOLE, [left, right]) == [Window(row=5, col=0, height=7, width=9)]
