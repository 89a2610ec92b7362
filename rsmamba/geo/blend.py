"""Blend weights: how much each of several overlapping tiles says about a pixel.

The weights are separable: a tile's weight is the product of a weight along its rows and one along
its columns. Along one axis the weight is zero in a margin next to the tile's inner edges, where the
network lacks context, rises as a raised cosine across the rest of the overlap, and is one in the
middle and at the scene's own frame. At every position the weights of all tiles sum to one, so
blended scores need no division and no sum of weights is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rsmamba.errors import OptionError
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The part of a tile that counts along one axis.

    Attributes:
        tile_start: First pixel of the tile with a weight, counted from the tile's start.
        scene_start: The same pixel, counted from the scene's start.
        weights: Weights from there on (n,).
        plain: The run of ``weights`` that are exactly one.
    """

    tile_start: int
    scene_start: int
    weights: Weights
    plain: slice

    @property
    def in_tile(self) -> slice:
        """The part as a slice of the tile."""
        return slice(self.tile_start, self.tile_start + len(self.weights))

    @property
    def scene_stop(self) -> int:
        """First pixel after the part, counted from the scene's start."""
        return self.scene_start + len(self.weights)

    def in_strip(self, origin: int) -> slice:
        """Return the part as a slice of a buffer.

        Args:
            origin: Position in the scene of the buffer's first pixel.

        Returns:
            The slice.
        """
        return slice(self.scene_start - origin, self.scene_stop - origin)


def axis_weights(starts: Sequence[int], size: int, length: int, *, margin: int) -> Weights:
    """Return the blend weights of tiles along one axis.

    The margin is cut to half of the pixels that two neighbours share, so that any overlap works;
    without overlap the tiles are simply laid side by side.

    Args:
        starts: First position of each tile, increasing from 0; neighbours touch or overlap, and the
            last tile ends at ``length``.
        size: Pixels of a tile along the axis.
        length: Pixels of the scene along the axis.
        margin: Pixels next to an inner tile edge whose weight is zero, not negative.

    Returns:
        Weights (n, size), 0 to 1; at each position of the scene those of all tiles sum to 1.

    Raises:
        OptionError: If the margin is negative, or the tiles leave a part of the axis uncovered.

    Example:
        >>> axis_weights([0, 4], 8, 12, margin=2)[0].tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    if margin < 0:
        message = f"margin {margin} is negative; give 0 px or more"
        raise OptionError(message)
    shared = _shared_pixels(starts, size, length)
    raw = np.ones((len(starts), size))
    for index, pixels in enumerate(shared):
        rise = _rise(size, pixels, min(margin, pixels // 2))
        raw[index + 1] *= rise
        raw[index] *= rise[::-1]
    total = np.zeros(length)
    for start, weights in zip(starts, raw, strict=True):
        total[start : start + size] += weights
    shares = [total[start : start + size] for start in starts]
    return (raw / shares).astype(np.float32)


def touching_spans(
    tiles: TileGrid, *, margin: int, region: Window | None = None
) -> tuple[dict[int, Span], dict[int, Span]]:
    """Return the tile rows and tile columns whose weight reaches into a part of the scene.

    Args:
        tiles: The tiles of the whole scene.
        margin: Pixels next to an inner tile edge whose weight is zero.
        region: The wanted part; None is the whole scene.

    Returns:
        Spans by tile row index, and spans by tile column index.
    """
    wanted = wanted_part(tiles, region)
    row_weights = axis_weights(tiles.row_starts, tiles.tile_height, tiles.height, margin=margin)
    col_weights = axis_weights(tiles.col_starts, tiles.tile_width, tiles.width, margin=margin)
    return (
        _spans(tiles.row_starts, row_weights, slice(wanted.row, wanted.row_stop)),
        _spans(tiles.col_starts, col_weights, slice(wanted.col, wanted.col_stop)),
    )


def _spans(starts: tuple[int, ...], weights: Weights, wanted: slice) -> dict[int, Span]:
    spans = {}
    for index, start in enumerate(starts):
        counts = np.flatnonzero(weights[index])
        first = max(int(counts[0]), wanted.start - start)
        stop = min(int(counts[-1]) + 1, wanted.stop - start)
        if first < stop:
            part = weights[index, first:stop]
            spans[index] = Span(
                tile_start=first, scene_start=start + first, weights=part, plain=_run_of_ones(part)
            )
    return spans


def wanted_part(tiles: TileGrid, region: Window | None) -> Window:
    """Return the wanted part of the scene after checking it.

    Args:
        tiles: The tiles of the whole scene.
        region: The wanted part; None is the whole scene.

    Returns:
        The part as a window.

    Raises:
        OptionError: If the part is empty or not inside the scene.
    """
    scene = tiles.scene_window
    if region is None:
        return scene
    if region.num_pixels == 0 or not scene.contains(region):
        message = f"{region} is not a part of the scene of {tiles.width} x {tiles.height} px"
        raise OptionError(message)
    return region


def _shared_pixels(starts: Sequence[int], size: int, length: int) -> list[int]:
    """Return how many pixels each tile shares with the next, after checking that they cover."""
    shared = [first + size - second for first, second in pairwise(starts)]
    ends_meet = len(starts) > 0 and starts[0] == 0 and starts[-1] + size == length
    if not ends_meet or any(not 0 <= pixels < size for pixels in shared):
        message = (
            f"tiles of {size} px starting at {list(starts)} do not cover {length} px in order; "
            "take the starts of a TileGrid"
        )
        raise OptionError(message)
    return shared


def _rise(size: int, shared: int, margin: int) -> npt.NDArray[np.float64]:
    """Return a rise from 0 in the margin to 1 where the neighbouring tile's margin begins."""
    taper = shared - 2 * margin
    position = np.arange(size) + 0.5 - margin
    if taper == 0:
        return (position > 0).astype(np.float64)
    phase = np.clip(position / taper, 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(np.pi * phase)


def _run_of_ones(weights: Weights) -> slice:
    """Return the first run of weights that are exactly one; empty when there is none."""
    inexact = np.flatnonzero(weights != 1)
    ones = np.flatnonzero(weights == 1)
    if len(ones) == 0:
        return slice(len(weights), len(weights))
    start = int(ones[0])
    after = inexact[inexact > start]
    return slice(start, int(after[0]) if len(after) else len(weights))
