"""Rotary positions of the pixels of a map (Su et al. 2021, in the two-axis form of MLLA)."""

import torch
from torch import Tensor

BASE = 10000.0


def rotate(terms: Tensor, *, height: int, width: int) -> Tensor:
    """Turn consecutive pairs of channels by angles that grow with the pixel's row or column.

    Pair j of the first half turns by row * theta_j, of the second half by column * theta_j, with
    theta_j = 10000 ** (-j / pairs of a half). The product of two rotated vectors then depends on
    the offset between their pixels.

    Args:
        terms: Vectors of the pixels in row-major order, (B, H W, ..., N), N a multiple of 4.
        height: Rows H of the map.
        width: Columns W of the map.

    Returns:
        Rotated vectors, shape and dtype of `terms`.
    """
    pairs = terms.shape[-1] // 4
    theta = BASE ** (-_count(pairs, terms) / pairs)
    by_row = _count(height, terms)[:, None, None] * theta
    by_col = _count(width, terms)[:, None] * theta
    shape = (height, width, pairs)
    angles = torch.cat([by_row.expand(shape), by_col.expand(shape)], dim=-1)  # (H, W, N / 2)
    angles = angles.view(height * width, *(1,) * (terms.ndim - 3), 2 * pairs)  # (L, ..., N / 2)
    cos, sin = angles.cos(), angles.sin()
    even, odd = terms.reshape(*terms.shape[:-1], 2 * pairs, 2).unbind(dim=-1)
    return torch.stack([cos * even - sin * odd, sin * even + cos * odd], dim=-1).flatten(-2)


def _count(end: int, like: Tensor) -> Tensor:
    return torch.arange(end, device=like.device, dtype=like.dtype)
