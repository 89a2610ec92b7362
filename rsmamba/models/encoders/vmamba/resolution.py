"""VMamba's steps in resolution: patch embedding, position embedding, downsampling.

Source: released code (MzeroMiko/VMamba at 2ed52ea). Different here: an image or map that is too
small for a convolution is padded up to the smallest that is not, where the official code fails;
position embeddings are resized to the grid of the image, where it fails too.
"""

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.vmamba.config import Config
from rsmamba.models.layers.norm import MapBatchNorm, Norm
from rsmamba.models.layers.padding import pad_to_size
from rsmamba.models.layers.patch import PatchEmbed, PatchMerging
from rsmamba.models.layers.position import resize_position_embedding


class OverlappingPatchEmbed(nn.Module):
    """Two strided convolutions whose windows overlap, each with a norm: the stem of VMamba v2.

    Args:
        in_channels: Channels of the image.
        dim: Channels of the result; half of them lie between the convolutions.
        patch: Even side of a patch; each convolution has half of it as its stride.
        norm: Makes the norm over the channels.
    """

    def __init__(self, in_channels: int, dim: int, *, patch: int, norm: Norm) -> None:
        super().__init__()
        half = dim // 2
        stride = patch // 2
        self.proj = nn.Conv2d(in_channels, half, stride + 1, stride=stride, padding=1)
        self.norm = norm(half)
        self.act = nn.GELU()
        self.proj2 = nn.Conv2d(half, dim, stride + 1, stride=stride, padding=1)
        self.norm2 = norm(dim)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W) to features (B, H', W', dim)."""
        features = self.act(self.norm(self.proj(image).permute(0, 2, 3, 1)))  # (B, H, W, C)
        return self.norm2(self.proj2(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


class PositionEmbedding(nn.Module):
    """Add a learned vector to each cell of a map.

    Args:
        dim: Channels of the map.
        side: Rows and columns of the grid that the vectors are learned for.
    """

    def __init__(self, dim: int, *, side: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(1, dim, side, side))
        nn.init.trunc_normal_(self.embedding, std=0.02)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        rows, cols = self.embedding.shape[2:]
        cells = self.embedding.flatten(2).transpose(1, 2)  # (1, L, C)
        height, width = features.shape[1:3]
        fitted = resize_position_embedding(cells, source=(rows, cols), target=(height, width))
        return features + fitted.reshape(1, height, width, -1)


class Stem(nn.Module):
    """Patch embedding and, where there is one, position embedding.

    Args:
        config: Size and choices of the network.
        in_channels: Channels of the image.
        position: Whether a position embedding that the configuration asks for is there.
    """

    def __init__(self, config: Config, *, in_channels: int, position: bool = True) -> None:
        super().__init__()
        patch, dim = config.patch_size, config.dims[0]
        norm = make_norm(config) if config.patch_norm else _no_norm
        overlapping = config.patchembed_version == "v2"
        embed = OverlappingPatchEmbed if overlapping else PatchEmbed
        self.patches = embed(in_channels, dim, patch=patch, norm=norm)
        side = config.imgsize // patch
        learned = position and config.posembed
        self.position = PositionEmbedding(dim, side=side) if learned else nn.Identity()
        # Two convolutions of kernel s + 1, stride s and padding 1 need s * s - s - 1 pixels.
        step = patch // 2
        self.smallest = max(1, step * step - step - 1) if overlapping else patch

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W) to features (B, H', W', dims[0])."""
        height, width = (max(side, self.smallest) for side in image.shape[-2:])
        return self.position(self.patches(pad_to_size(image, height=height, width=width)))


class ConvDownsample(nn.Module):
    """Halve the resolution by a convolution of stride 2, then normalise.

    Args:
        dim: Channels of the map.
        out: Channels of the result.
        kernel: Side of the convolution, 2 or 3.
        norm: Makes the norm over the channels.
    """

    def __init__(self, dim: int, out: int, *, kernel: int, norm: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, out, kernel, stride=2, padding=kernel // 3)
        self.norm = norm(out)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, H', W', out): sides halved, up for kernel 3, down for 2."""
        missing = [max(0, 2 - side) for side in features.shape[1:3]]
        if self.conv.kernel_size[0] == 2 and any(missing):
            features = functional.pad(features, (0, 0, 0, missing[1], 0, missing[0]))
        return self.norm(self.conv(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


def make_downsample(config: Config, *, dim: int, out: int) -> nn.Module:
    """Make the step between two stages.

    Args:
        config: Size and choices of the network.
        dim: Channels of the finer stage.
        out: Channels of the coarser stage.

    Returns:
        A module that maps (B, H, W, dim) to (B, H', W', out).
    """
    norm = make_norm(config)
    if config.downsample_version == "v1":
        return PatchMerging(dim, out=out, norm=norm, pad_odd=True)
    kernel = 2 if config.downsample_version == "v2" else 3
    return ConvDownsample(dim, out, kernel=kernel, norm=norm)


def make_norm(config: Config) -> Norm:
    """Return what makes the norms of blocks, steps and outputs.

    Args:
        config: Size and choices of the network.

    Returns:
        A function of the number of channels, the last axis of a map.
    """
    return MapBatchNorm if config.norm_layer == "bn" else nn.LayerNorm


def _no_norm(dim: int) -> nn.Module:  # noqa: ARG001 - a norm is made for a number of channels
    return nn.Identity()
