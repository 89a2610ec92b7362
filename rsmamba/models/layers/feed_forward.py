"""Convolutional layers of CVMH-UNet's local branch and feed-forward part, channels first.

Source: CVMH-UNet (arXiv 2410.05624, figure 2); their inner make-up follows CMTFNet (Wu et al.
2023), which the published parameter counts confirm.
"""

import torch
from torch import nn
from typing_extensions import override


class SeparableConv(nn.Sequential):
    """Depth-wise 3x3 convolution followed by a 1x1 convolution.

    Args:
        dim: Channels in and out.
        norm: True puts BatchNorm behind and leaves the convolutions without biases; False leaves
            BatchNorm out and gives both convolutions biases. Both have the same parameter count.
    """

    def __init__(self, dim: int, *, norm: bool = True) -> None:
        depthwise = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim, bias=not norm)
        pointwise = nn.Conv2d(dim, dim, kernel_size=1, bias=not norm)
        super().__init__(depthwise, pointwise, *([nn.BatchNorm2d(dim)] if norm else []))


def _conv_norm(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels))


class EfficientFeedForward(nn.Module):
    """Bottleneck with two depth-wise scales: 1x1, (3x3 + 5x5), 1x1.

    Args:
        dim: Channels in and out.
        reduction: Divisor of the hidden width.
        final_activation: Put ReLU6 behind the last layer, as CMTFNet does; the branch is then
            never negative.
    """

    def __init__(self, dim: int, *, reduction: int = 4, final_activation: bool = True) -> None:
        super().__init__()
        hidden = max(1, dim // reduction)
        self.reduce = _conv_norm(nn.Conv2d(dim, hidden, kernel_size=1, bias=False))
        self.scales = nn.ModuleList(
            _conv_norm(
                nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden, bias=False)
            )
            for kernel in (3, 5)
        )
        self.restore = _conv_norm(nn.Conv2d(hidden, dim, kernel_size=1, bias=False))
        self.inner = nn.ReLU6()
        self.final = nn.ReLU6() if final_activation else nn.Identity()

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        reduced = self.inner(self.reduce(features))
        fine, coarse = (self.inner(scale(reduced)) for scale in self.scales)
        restored: torch.Tensor = self.final(self.restore(fine + coarse))
        return restored
