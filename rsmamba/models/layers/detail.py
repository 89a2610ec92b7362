"""Convolutions at full and at half resolution, before and behind a network of patches.

Networks that cut the image into patches of 4 pixels know the inside of a patch by one linear
vector, and guess it again at the end. Here two convolutions look at the pixels first; what they
find feeds the patch embedding (Xiao et al. 2021, "Early convolutions help transformers see better")
and joins the decoder's map on its way back to the pixels, as in U-Net (Ronneberger et al. 2015,
figure 1).
"""

from typing import cast

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override


class DetailConv(nn.Sequential):
    """3x3 convolution of one or more maps, BatchNorm and ReLU.

    These are the largest maps of a network, so that their memory is what they cost: several maps
    are convolved each with its part of the weights and summed, which is the convolution of all in
    one without making it, and in evaluation BatchNorm is part of the weights.

    Args:
        in_channels: Channels of all maps together.
        out_channels: Channels of the result.
        stride: 2 halves the sides.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        # A sequence, so that the names of its weights are those of older model files.
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False
            ),
            nn.BatchNorm2d(out_channels),
        )
        self.stride = stride

    @override
    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """Map (B, C_i, H, W), in_channels together, to (B, out_channels, H/stride, W/stride)."""
        weight, norm = cast(nn.Conv2d, self[0]).weight, cast(nn.BatchNorm2d, self[1])
        if norm.training:
            normalised: torch.Tensor = norm(self._convolved(maps, weight))
            return functional.relu(normalised, inplace=True)
        mean, variance = cast(torch.Tensor, norm.running_mean), cast(torch.Tensor, norm.running_var)
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        folded = self._convolved(
            maps, weight * scale[:, None, None, None], norm.bias - mean * scale
        )
        return functional.relu(folded, inplace=True)

    def _convolved(
        self,
        maps: tuple[torch.Tensor, ...],
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Sum the convolutions of all maps with their parts of the weights."""
        parts = torch.split(weight, [features.shape[1] for features in maps], dim=1)
        total = functional.conv2d(maps[0], parts[0], bias, stride=self.stride, padding=1)
        for features, part in zip(maps[1:], parts[1:], strict=True):
            total += functional.conv2d(features, part, stride=self.stride, padding=1)
        return total


class DetailStem(nn.Module):
    """Describe the surroundings of every pixel.

    Args:
        in_channels: Channels of the image.
        width: Channels at full resolution; twice as many at half of it.
    """

    def __init__(self, in_channels: int, *, width: int) -> None:
        super().__init__()
        self.pixels = DetailConv(in_channels, width)
        self.halved = DetailConv(width, 2 * width, stride=2)

    @override
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map an image to two maps of its details.

        Args:
            image: The image (B, in_channels, H, W), even H and W.

        Returns:
            Maps (B, width, H, W) and (B, 2 width, H/2, W/2).
        """
        pixels = self.pixels(image.contiguous(memory_format=torch.channels_last))
        return pixels, self.halved(pixels)


class DetailHead(nn.Module):
    """Raise a map to the image's resolution beside its details, and score the pixels.

    Args:
        dim: Channels C of the map.
        num_classes: Channels of the logits.
        width: Channels of the details at full resolution.
    """

    def __init__(self, dim: int, *, num_classes: int, width: int) -> None:
        super().__init__()
        self.join_halved = DetailConv(dim + 2 * width, 2 * width)
        self.join_pixels = DetailConv(3 * width, width)
        self.head = nn.Conv2d(width, num_classes, kernel_size=1)

    @override
    def forward(
        self, features: torch.Tensor, details: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Score every pixel.

        Args:
            features: The decoder's map, channels last, (B, H/4, W/4, C).
            details: What the stem found, (B, width, H, W) and (B, 2 width, H/2, W/2).

        Returns:
            Logits (B, num_classes, H, W).
        """
        pixels, halved = details
        coarse = _raised(features.permute(0, 3, 1, 2), to=halved)
        joined = self.join_halved(coarse, halved)
        logits: torch.Tensor = self.head(self.join_pixels(_raised(joined, to=pixels), pixels))
        return logits


def _raised(coarse: torch.Tensor, *, to: torch.Tensor) -> torch.Tensor:
    """Bring a map (B, C, H, W) to the sides of a finer one."""
    return functional.interpolate(coarse, size=to.shape[-2:], mode="bilinear", align_corners=False)
