"""Depth-wise convolution of channels-last maps.

The convolution sees the map through permuted strides: a contiguous (B, H, W, C) map is torch's
`channels_last` memory format of (B, C, H, W), which its kernels read and write as it lies.
"""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.errors import OptionError


class DepthwiseConv2d(nn.Conv2d):
    """Convolve each channel of a map with its own kernel, zero-padded to keep the size.

    Args:
        dim: Channels C of the map.
        kernel: Side of the kernel in pixels, odd.
        stride: Step of the kernel; the sides of the result are ceil(side / stride).
        bias: Whether a learned constant is added to each channel.

    Raises:
        OptionError: If the kernel's side is even.

    Example:
        >>> DepthwiseConv2d(8, kernel=3)(torch.zeros(1, 5, 7, 8)).shape
        torch.Size([1, 5, 7, 8])
    """

    def __init__(self, dim: int, *, kernel: int = 3, stride: int = 1, bias: bool = True) -> None:
        if kernel % 2 == 0:
            message = f"depth-wise kernel is {kernel}; give an odd side, so that the map stays put"
            raise OptionError(message)
        super().__init__(
            dim, dim, kernel, stride=stride, padding=kernel // 2, groups=dim, bias=bias
        )

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, ceil(H / stride), ceil(W / stride), C)."""
        return super().forward(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (B, H, W, C)
