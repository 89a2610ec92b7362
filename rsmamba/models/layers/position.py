"""Learned position embeddings for grids of another size than the trained one."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def resize_position_embedding(
    position: Tensor, *, source: tuple[int, int], target: tuple[int, int]
) -> Tensor:
    """Resize the embedding of a grid bicubically, as PlainMamba and DeiT do.

    Extra tokens (a class token) must be taken out before. The result is differentiable.

    Args:
        position: Embedding of the patches in row-major order, (1, rows * columns, C).
        source: Rows and columns of the grid that `position` belongs to.
        target: Rows and columns of the grid that is wanted.

    Returns:
        Embedding (1, target rows * target columns, C); `position` itself if the grids are equal.

    Example:
        >>> square = torch.ones(1, 4, 8)
        >>> resize_position_embedding(square, source=(2, 2), target=(3, 5)).shape
        torch.Size([1, 15, 8])
    """
    if source == target:
        return position
    wide = position if position.dtype == torch.float64 else position.float()
    cells = wide.reshape(1, *source, -1).permute(0, 3, 1, 2)  # (1, C, rows, columns)
    cells = functional.interpolate(cells, size=target, mode="bicubic", align_corners=False)
    return cells.flatten(2).transpose(1, 2).to(position.dtype)  # (1, L, C)


def resize_square_embedding(position: Tensor, *, target: tuple[int, int]) -> Tensor:
    """Resize the embedding of a checkpoint whose grid is only known to be a square.

    Args:
        position: Embedding of the patches in row-major order, (1, L, C).
        target: Rows and columns of the grid that is wanted.

    Returns:
        Embedding (1, target rows * target columns, C); `position` itself if it has as many
        entries already, or if L is not a square number.
    """
    entries = position.shape[1]
    side = math.isqrt(entries)
    if entries == target[0] * target[1] or side * side != entries:
        return position
    return resize_position_embedding(position, source=(side, side), target=target)
