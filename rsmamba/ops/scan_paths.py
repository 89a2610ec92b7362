"""Orders in which the pixels of a map are visited by a scan, and their inverses.

Sources: "cross" is the cross-scan of VMamba (arXiv 2401.10166); "cs2d" is the set of CVMH-UNet
(arXiv 2410.05624, fig. 3b) with lines that are not wrapped; "cs2d_wrapped" has the same first two
paths and the wrapped diagonals of RS-Mamba's public code; "snake" is the continuous scan of
PlainMamba (arXiv 2403.17695); "one_way" and "two_ways" are what VMamba's ablations compare with.
We build every order as a sort of pixels by a key and keep it as a table, so that a kernel needs to
know nothing about how a path was made.

Symbols: B batch, H rows, W columns, L = H * W, K number of paths, D channels.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rsmamba.errors import OptionError, ShapeError

ScanPaths = Literal["cross", "cs2d", "cs2d_wrapped", "snake", "one_way", "two_ways"]

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOrders:
    """The K scan orders of a map and their inverses.

    Attributes:
        order: Row-major pixel index of each sequence element, int64, (K, L).
        inverse: Sequence element of each pixel, int64, (K, L).
    """

    order: Tensor
    inverse: Tensor


def scan_orders(paths: ScanPaths, height: int, width: int) -> ScanOrders:
    """Return the order tables of a set of scan paths.

    The tables are computed once for each map size and shared: do not write into them.

    Args:
        paths: Name of the set of paths.
        height: Rows of the map, at least 1.
        width: Columns of the map, at least 1.

    Returns:
        The orders and their inverses, on the CPU.

    Raises:
        OptionError: If `paths` is not a known set.
        ShapeError: If a side is smaller than 1.

    Example:
        >>> scan_orders("cs2d", 2, 3).order[2].tolist()
        [0, 1, 3, 2, 4, 5]
    """
    if paths not in _BUILDERS:
        message = f'scan paths "{paths}" are not known; choose one of {", ".join(_BUILDERS)}'
        raise OptionError(message)
    if min(height, width) < 1:
        message = f"scan paths need a map of at least 1 x 1 pixels, got {height} x {width}"
        raise ShapeError(message)
    order, inverse = _tables(paths, height, width)
    return ScanOrders(order=torch.from_numpy(order), inverse=torch.from_numpy(inverse))


def expand(x: Tensor, paths: ScanPaths) -> Tensor:
    """Read a map along each scan path.

    Args:
        x: Feature map, (B, H, W, D).
        paths: Name of the set of paths.

    Returns:
        One sequence for each path, (B, K, L, D).

    Raises:
        ShapeError: If `x` does not have four axes.

    Example:
        >>> expand(torch.arange(4.0).reshape(1, 2, 2, 1), "cross")[0, 1, :, 0].tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    if x.ndim != 4:
        message = f"expand takes a map of shape (B, H, W, D), got {tuple(x.shape)}"
        raise ShapeError(message)
    batch, height, width, channels = x.shape
    order = scan_orders(paths, height, width).order.to(x.device)
    pixels = x.reshape(batch, height * width, channels)
    sequences = pixels.index_select(1, order.flatten())  # (B, K * L, D)
    return sequences.reshape(batch, *order.shape, channels)  # (B, K, L, D)


def merge(y: Tensor, height: int, width: int, *, paths: ScanPaths) -> Tensor:
    """Put the sequences of all scan paths back onto the map and sum them.

    The paths are added one after the other, so that the sum does not depend on the thread count.

    Args:
        y: One sequence for each path, (B, K, L, D).
        height: Rows of the map.
        width: Columns of the map.
        paths: Name of the set of paths.

    Returns:
        The sum over the K paths, (B, H, W, D).

    Raises:
        ShapeError: If `y` is not (B, K, height * width, D) with the K of `paths`.

    Example:
        >>> merge(torch.ones(1, 4, 6, 2), 2, 3, paths="snake").unique().tolist()
        [4.0]
    """
    inverse = scan_orders(paths, height, width).inverse.to(y.device)
    if y.ndim != 4 or y.shape[1:3] != inverse.shape:
        message = (
            f"merge takes sequences of shape (B, {inverse.shape[0]}, {height * width}, D) for "
            f'paths "{paths}" and a map of {height} x {width}, got {tuple(y.shape)}'
        )
        raise ShapeError(message)
    total = y[:, 0].index_select(1, inverse[0])  # (B, L, D)
    for k in range(1, inverse.shape[0]):
        total = total + y[:, k].index_select(1, inverse[k])
    return total.reshape(y.shape[0], height, width, y.shape[3])  # (B, H, W, D)


@functools.lru_cache(maxsize=32)
def _tables(paths: ScanPaths, height: int, width: int) -> tuple[IndexArray, IndexArray]:
    """Compute the order and inverse tables of a set of paths, each (K, L)."""
    row, col = np.divmod(np.arange(height * width), width)
    order = np.stack(_BUILDERS[paths](row, col)).astype(np.int64)
    return order, np.argsort(order, axis=1)


def _sorted_by(first: IndexArray, second: IndexArray) -> IndexArray:
    """Return the pixels in ascending order of the key (first, second)."""
    return np.lexsort((second, first))


def _cross(row: IndexArray, col: IndexArray) -> list[IndexArray]:
    """Rows, columns, and both reversed."""
    forward = [_sorted_by(row, col), _sorted_by(col, row)]
    return [*forward, *(order[::-1] for order in forward)]


def _cs2d(row: IndexArray, col: IndexArray) -> list[IndexArray]:
    """Rows, columns, anti-diagonal lines and diagonal lines, each walked downwards."""
    return [
        _sorted_by(row, col),
        _sorted_by(col, row),
        _sorted_by(row + col, row),
        _sorted_by(row - col, row),
    ]


def _cs2d_wrapped(row: IndexArray, col: IndexArray) -> list[IndexArray]:
    """Rows, columns, and diagonals that leave at one side and come in at the other."""
    width = int(col.max()) + 1
    return [
        _sorted_by(row, col),
        _sorted_by(col, row),
        _sorted_by((col - row) % width, row),
        _sorted_by((col + row) % width, row),
    ]


def _snake(row: IndexArray, col: IndexArray) -> list[IndexArray]:
    """Rows in alternating directions, their reverse, columns likewise, their reverse."""
    rows = _sorted_by(row, np.where(row % 2 == 0, col, -col))
    cols = _sorted_by(col, np.where(col % 2 == 0, row, -row))
    return [rows, rows[::-1], cols, cols[::-1]]


def _one_way(row: IndexArray, col: IndexArray) -> list[IndexArray]:
    """Rows, four times over: as many parameters as the cross-scan, one direction."""
    return [_sorted_by(row, col)] * 4


def _two_ways(row: IndexArray, col: IndexArray) -> list[IndexArray]:
    """Rows twice, and twice reversed."""
    rows = _sorted_by(row, col)
    return [rows, rows, rows[::-1], rows[::-1]]


_BUILDERS: dict[str, Callable[[IndexArray, IndexArray], list[IndexArray]]] = {
    "cross": _cross,
    "cs2d": _cs2d,
    "cs2d_wrapped": _cs2d_wrapped,
    "snake": _snake,
    "one_way": _one_way,
    "two_ways": _two_ways,
}

NUM_PATHS: dict[ScanPaths, int] = dict.fromkeys(get_args(ScanPaths), 4)
"""Number K of scan paths in each set."""
