"""Basis images of the two-dimensional discrete cosine transform.

Source: FcaNet (arXiv 2012.11879) for the normalisation and the "top-16" frequencies, used by the
fusion block of CVMH-UNet (arXiv 2410.05624, eq. 7). Equation 7 prints the half at the frequency
instead of the position and no normalisation; as printed the zero frequency would not be the
constant image, so we take FcaNet's form. Frequencies count on a 7 x 7 grid and are multiplied by
n // 7 along an axis of n pixels, so that the bases follow the size of the map.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsmamba.errors import ShapeError

FREQUENCY_GRID = 7

TOP16_FREQUENCIES: tuple[tuple[int, int], ...] = (
    (0, 0), (0, 1), (6, 0), (0, 5), (0, 2), (1, 0), (1, 2), (4, 0),
    (5, 0), (1, 6), (3, 0), (0, 4), (0, 6), (0, 3), (3, 5), (2, 2),
)  # fmt: skip
"""FcaNet's sixteen best frequencies as (row, column) on the 7 x 7 grid, best first."""


def dct_basis(frequencies: Sequence[tuple[int, int]], height: int, width: int) -> Tensor:
    """Return the basis images of the given frequencies at the size of a map.

    A map with a side below 7 pixels keeps the frequencies of the grid along that side.

    Args:
        frequencies: (row, column) frequencies on the 7 x 7 grid, each at least 0.
        height: Rows of the map, at least 1.
        width: Columns of the map, at least 1.

    Returns:
        Basis images in float32, (len(frequencies), H, W). They are orthonormal where the scaled
        frequencies are distinct and below the number of pixels of their axis.

    Raises:
        ShapeError: If a side is smaller than 1 or a frequency is negative.

    Example:
        >>> dct_basis([(0, 0)], 2, 2).tolist()
        [[[0.5, 0.5], [0.5, 0.5]]]
    """
    if min(height, width) < 1 or any(min(pair) < 0 for pair in frequencies):
        message = (
            f"DCT bases need a map of at least 1 x 1 pixels and frequencies of at least 0, got "
            f"{height} x {width} and {list(frequencies)}"
        )
        raise ShapeError(message)
    return torch.from_numpy(_images(tuple(frequencies), height, width).copy())


# Arrays are kept, not tensors: a tensor would stay what its first caller made it, such as a
# stand-in without values while a network is exported.
@functools.lru_cache(maxsize=64)
def _images(
    frequencies: tuple[tuple[int, int], ...], height: int, width: int
) -> NDArray[np.float32]:
    """Compute basis images (K, H, W)."""
    rows = np.stack([_cosine(row, height) for row, _ in frequencies])
    cols = np.stack([_cosine(col, width) for _, col in frequencies])
    return (rows[:, :, None] * cols[:, None, :]).astype(np.float32)


def _cosine(frequency: int, size: int) -> NDArray[np.float64]:
    """Return one cosine along an axis of `size` pixels."""
    frequency *= max(1, size // FREQUENCY_GRID)
    position = np.arange(size, dtype=np.float64) + 0.5
    scale = math.sqrt((1 if frequency == 0 else 2) / size)
    wave: NDArray[np.float64] = np.cos(math.pi * frequency * position / size) * scale
    return wave
