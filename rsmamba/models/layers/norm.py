"""Norms over the channels of channels-last maps, and what a layer that makes one asks for."""

from collections.abc import Callable

import torch
from torch import nn
from typing_extensions import override

Norm = Callable[[int], nn.Module]
"""Makes a norm over the last axis, of the given size."""


def fine_norm(dim: int) -> nn.LayerNorm:
    """Make the LayerNorm of VMamba's first code and of VM-UNet, with 1e-6 in the denominator.

    Args:
        dim: Channels, the last axis of what is normalised.

    Returns:
        The layer.
    """
    return nn.LayerNorm(dim, eps=1e-6)


class MapBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the channels of a channels-last map."""

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        return super().forward(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
