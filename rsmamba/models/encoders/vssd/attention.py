"""Self-attention over all tokens of a map, the mixer of VSSD's last stage."""

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override


class SelfAttention(nn.Module):
    """Mix the pixels of a map by dense multi-head attention without positions.

    Source: VSSD (arXiv 2407.18559) and its code; parameter names are the official
    ones. Time grows with the square of the number of pixels.

    Args:
        dim: Channels C of the map.
        heads: Number of heads; each has floor(C / heads) channels.
    """

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = dim // heads * heads
        self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, dim)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        batch, height, width, _ = features.shape
        qkv = self.to_qkv(features).view(batch, height * width, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, L, C / heads) each
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.to_out(mixed.transpose(1, 2).reshape(batch, height, width, -1))
