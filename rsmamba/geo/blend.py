"""Blend weights: how much each of several overlapping tiles says about a pixel.

The weights are separable: a tile's weight is the product of a weight along its rows and one along
its columns. Along one axis the weight is zero in a margin next to the tile's inner edges, where the
network lacks context, rises as a raised cosine across the rest of the overlap, and is one in the
middle and at the scene's own frame. At every position the weights of all tiles sum to one, so
blended scores need no division and no sum of weights is kept.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rsmamba.errors import OptionError


def axis_weights(
    starts: Sequence[int], size: int, length: int, *, margin: int
) -> npt.NDArray[np.float32]:
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
        >>> axis_weights([0, 4], 8, 12, margin=1).round(2).tolist()[0]
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.85, 0.15, 0.0]
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
    for start, weights in zip(starts, raw, strict=True):
        weights /= total[start : start + size]
    return raw.astype(np.float32)


def _shared_pixels(starts: Sequence[int], size: int, length: int) -> list[int]:
    """Return how many pixels each tile shares with the next, after checking that they cover."""
    shared = [first + size - second for first, second in zip(starts[:-1], starts[1:], strict=True)]
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
