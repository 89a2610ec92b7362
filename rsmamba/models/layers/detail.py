"""Convolutions at full and at half resolution, before and behind a network of patches.

Networks that cut the image into patches of 4 pixels know the inside of a patch by one linear
vector, and guess it again at the end. Here two convolutions look at the pixels first; what they
find feeds the patch embedding (Xiao et al. 2021, "Early convolutions help transformers see better")
and joins the decoder's map on its way back to the pixels, as in U-Net (Ronneberger et al. 2015,
figure 1).
"""

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override


class DetailStem(nn.Module):
    """Describe the surroundings of every pixel.

    Args:
        in_channels: Channels of the image.
        width: Channels at full resolution; twice as many at half of it.
    """

    def __init__(self, in_channels: int, *, width: int) -> None:
        super().__init__()
        self.pixels = _conv(in_channels, width)
        self.halved = _conv(width, 2 * width, stride=2)

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
        self.join_halved = _conv(dim + 2 * width, 2 * width)
        self.join_pixels = _conv(3 * width, width)
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
        joined = self.join_halved(_joined(features.permute(0, 3, 1, 2), halved))
        logits: torch.Tensor = self.head(self.join_pixels(_joined(joined, pixels)))
        return logits


def _joined(coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    """Bring a map to the size of a finer one and put both into one, (B, C + C', H, W)."""
    raised = functional.interpolate(
        coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False
    )
    return torch.cat((raised, fine), dim=1)


def _conv(channels: int, out: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )
