"""The convolution that convolutional decoders are made of."""

from typing import Literal

from torch import nn

Norm = Literal["batch", "group"]

# Channels of a group, so that its statistics do not depend on the batch.
_GROUP = 16


class ConvNormReLU(nn.Sequential):
    """Convolution that keeps the size of the map, normalisation, ReLU; channels first.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        kernel: Side of the kernel in pixels, odd.
        norm: "batch" for BatchNorm; "group" for GroupNorm, which also learns from single images.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 1, norm: Norm = "batch"
    ) -> None:
        conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
        super().__init__(conv, make_norm(out_channels, norm=norm), nn.ReLU())


def make_norm(channels: int, *, norm: Norm) -> nn.Module:
    """Make a norm of a channels-first map.

    Args:
        channels: Channels of the map.
        norm: "batch" for BatchNorm; "group" for GroupNorm in groups of 16 channels, or in one
            group where 16 does not divide them.

    Returns:
        The layer.
    """
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(1 if channels % _GROUP else channels // _GROUP, channels)
