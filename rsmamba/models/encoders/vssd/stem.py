"""Changes of resolution in VSSD: the stem and the downsampling between stages.

Source: VSSD (arXiv 2407.18559) and its code (YuHengsss/VSSD, classification/models/
mamba_util.py), which takes them from MLLA; the ICCV 2025 edition takes those of RMT. Images come
channels first; inside, maps keep torch's `channels_last` memory format, so that the step to
channels-last maps (B, H, W, C) is a change of view. Parameter names are the official ones.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.vssd.config import Config

PATCH = 4  # pixels along a side that one token of the first stage stands for


def make_stem(config: Config, *, in_channels: int) -> nn.Module:
    """Build the stem, image (B, in_channels, H, W) to map (B, H', W', embed_dim)."""
    if config.simple_patch_embed:
        return SimpleStem(in_channels, config.embed_dim)
    if config.edition == "iccv":
        return PlainStem(in_channels, config.embed_dim)
    return ResidualStem(in_channels, config.embed_dim)


def make_downsample(config: Config, dim: int) -> nn.Module:
    """Build a layer that maps (B, H, W, dim) to (B, ceil(H / 2), ceil(W / 2), 2 dim)."""
    if config.simple_downsample:
        return SimpleDownsample(dim)
    if config.edition == "iccv":
        return PlainDownsample(dim)
    return InvertedDownsample(dim)


def conv_layer(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    bias: bool = True,
    norm: bool = True,
    act: bool = True,
) -> nn.Sequential:
    """Build a convolution, then batch normalisation and ReLU where they are wanted."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2 if padding is None else padding,
        groups=groups,
        bias=bias,
    )
    if norm:
        layers["norm"] = nn.BatchNorm2d(out_channels)
    if act:
        layers["act"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


class ResidualStem(nn.Module):
    """Stem of the arXiv edition: stride 2, a residual pair, stride 2 with an inverted bottleneck.

    Args:
        in_channels: Channels of the image.
        dim: Channels of the result.
    """

    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        half = dim // 2
        self.conv1 = conv_layer(in_channels, half, kernel=3, stride=2, bias=False)
        self.conv2 = nn.Sequential(
            conv_layer(half, half, kernel=3, bias=False),
            conv_layer(half, half, kernel=3, bias=False, act=False),
        )
        self.conv3 = nn.Sequential(
            conv_layer(half, 4 * dim, kernel=3, stride=2, bias=False),
            conv_layer(4 * dim, dim, kernel=1, bias=False, act=False),
        )

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, in_channels, H, W) to (B, ceil(H / 4), ceil(W / 4), dim)."""
        features = self.conv1(image.contiguous(memory_format=torch.channels_last))
        features = features + self.conv2(features)
        return self.conv3(features).permute(0, 2, 3, 1)  # (B, H, W, C)


class PlainStem(nn.Module):
    """Stem of the ICCV edition: four convolutions of 3x3, the first and third with stride 2.

    Args:
        in_channels: Channels of the image.
        dim: Channels of the result.
    """

    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        half = dim // 2
        layers: list[nn.Module] = []
        for into, out, stride in ((in_channels, half, 2), (half, half, 1), (half, dim, 2)):
            layers += [nn.Conv2d(into, out, 3, stride, 1), nn.BatchNorm2d(out), nn.GELU()]
        self.proj = nn.Sequential(*layers, nn.Conv2d(dim, dim, 3, 1, 1), nn.BatchNorm2d(dim))

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, in_channels, H, W) to (B, ceil(H / 4), ceil(W / 4), dim)."""
        features = self.proj(image.contiguous(memory_format=torch.channels_last))
        return features.permute(0, 2, 3, 1)  # (B, H, W, C)


class SimpleStem(nn.Module):
    """Stem of the ablation: one convolution of 4x4 patches.

    Rows and columns beyond the last whole patch are left out, as in the official code; an image
    that is smaller than one patch is padded with zeros.

    Args:
        in_channels: Channels of the image.
        dim: Channels of the result.
    """

    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        self.conv1 = conv_layer(in_channels, dim, kernel=PATCH, stride=PATCH, padding=0, bias=False)
        self.norm = nn.LayerNorm(dim)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, in_channels, H, W) to (B, max(1, H // 4), max(1, W // 4), dim)."""
        rows, cols = (max(0, PATCH - side) for side in image.shape[-2:])
        if rows or cols:
            image = functional.pad(image, (0, cols, 0, rows))
        features = self.conv1(image.contiguous(memory_format=torch.channels_last))
        return self.norm(features.permute(0, 2, 3, 1))  # (B, H, W, C)


class InvertedDownsample(nn.Module):
    """Downsampling of the arXiv edition: 1x1 to eight times the channels, depth-wise, 1x1.

    Args:
        dim: Channels of the input; the result has twice as many.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = 8 * dim
        self.conv = nn.Sequential(
            conv_layer(dim, hidden, kernel=1, norm=False),
            conv_layer(hidden, hidden, kernel=3, stride=2, groups=hidden, norm=False),
            conv_layer(hidden, 2 * dim, kernel=1, act=False),
        )

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, ceil(H / 2), ceil(W / 2), 2C)."""
        return self.conv(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (B, H, W, C)


class PlainDownsample(nn.Module):
    """Downsampling of the ICCV edition: a convolution of 3x3 with stride 2, batch normalisation.

    Args:
        dim: Channels of the input; the result has twice as many.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(2 * dim)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, ceil(H / 2), ceil(W / 2), 2C)."""
        reduced = self.norm(self.reduction(features.permute(0, 3, 1, 2)))
        return reduced.permute(0, 2, 3, 1)  # (B, H, W, C)


class SimpleDownsample(nn.Module):
    """Downsampling of the ablation: a convolution of 3x3 with stride 2, ReLU, LayerNorm.

    Args:
        dim: Channels of the input; the result has twice as many.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv_layer(dim, 2 * dim, kernel=3, stride=2, norm=False))
        self.norm = nn.LayerNorm(2 * dim)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, ceil(H / 2), ceil(W / 2), 2C)."""
        return self.norm(self.conv(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
