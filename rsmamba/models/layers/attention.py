"""Attention over channels and over positions, for channels-first maps (B, C, H, W).

Source: CBAM (Woo et al. 2018, section 3) and, with average pooling alone, SE (Hu et al. 2018).
"""

from typing import Literal

import torch
from torch import nn
from typing_extensions import override

ChannelPooling = Literal["cbam", "se"]


class ChannelAttention(nn.Module):
    """Weigh the channels by a bottleneck over their pooled values.

    Args:
        dim: Channels of the map.
        reduction: Divisor of the bottleneck's width.
        pooling: "cbam" sums the bottlenecks of average and maximum; "se" takes the average alone.
            Both have the same parameters.
    """

    def __init__(self, dim: int, *, reduction: int = 16, pooling: ChannelPooling = "cbam") -> None:
        super().__init__()
        self.pooling = pooling
        hidden = max(1, dim // reduction)
        self.mlp = nn.Sequential(
            nn.Conv2d(dim, hidden, kernel_size=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, dim, kernel_size=1, bias=False),
        )

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        score = self.mlp(features.mean(dim=(2, 3), keepdim=True))
        if self.pooling == "cbam":
            score = score + self.mlp(features.amax(dim=(2, 3), keepdim=True))
        return features * torch.sigmoid(score)


class SpatialAttention(nn.Module):
    """Weigh the positions by a convolution over the channels' mean and maximum.

    Args:
        kernel: Side of the convolution, odd.
    """

    def __init__(self, *, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size=kernel, padding=kernel // 2, bias=False)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        pooled = torch.cat(
            [features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1
        )
        return features * torch.sigmoid(self.conv(pooled))
