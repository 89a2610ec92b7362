"""Root mean square normalisation, as the language-model Mamba and ViM use it.

Source: Zhang and Sennrich 2019, "Root mean square layer normalization" (arXiv 1910.07467); the
epsilon lies inside the root, as in the released Mamba code.
"""

import torch
from torch import Tensor, nn
from typing_extensions import override


class RMSNorm(nn.Module):
    """Divide the last axis by its root mean square and scale each channel; no bias.

    Args:
        dim: Channels, the last axis of the input.
        eps: Added to the mean of squares.
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Map (..., C) to the same shape; half precision is computed in float32."""
        wide = features if features.dtype == torch.float64 else features.float()
        normalised = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return (normalised * self.weight.to(normalised.dtype)).to(features.dtype)
