"""UPerNet: a pyramid of poolings on the coarsest map, and a feature pyramid over all maps.

Source: "Unified Perceptual Parsing for Scene Understanding" (Xiao et al. 2018, arXiv 1807.10221,
section 3.1) with the sizes of the head that the papers of these encoders use on ADE20K. Different
here: maps are enlarged by the ratio of their strides and cropped where their sides were rounded up,
instead of being stretched; and the result is brought to the size of the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.decoders.base import Decoder
from rsmamba.models.decoders.convolution import ConvNormReLU, Norm
from rsmamba.models.decoders.enlarging import enlarge


@dataclass(frozen=True, slots=True, kw_only=True)
class UPerNetConfig:
    """Size and choices of the decoder; the defaults are those of the papers.

    Attributes:
        channels: Channels of every map inside.
        pool_scales: Sides of the grids that the coarsest map is pooled to.
        dropout: Probability that a channel is dropped before the last layer while training.
        norm: "batch", or "group" for training with one image at a time.
    """

    channels: int = 512
    pool_scales: tuple[int, ...] = (1, 2, 3, 6)
    dropout: float = 0.1
    norm: Norm = "batch"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            OptionError: If a size is below 1 or the dropout no probability.
        """
        if min((self.channels, *self.pool_scales)) < 1 or not 0 <= self.dropout < 1:
            message = (
                f"channels {self.channels}, pool_scales {self.pool_scales}, dropout {self.dropout}:"
                " give sizes of 1 or more and a dropout from 0 up to, not including, 1"
            )
            raise OptionError(message)


class PyramidPooling(nn.Module):
    """Join a map with its means over coarse grids.

    Source: PSPNet (Zhao et al. 2017, section 3.2).

    Args:
        dim: Channels of the map.
        config: Choices of the decoder.
    """

    def __init__(self, dim: int, *, config: UPerNetConfig) -> None:
        super().__init__()
        channels, norm = config.channels, config.norm
        self.scales = config.pool_scales
        self.projections = nn.ModuleList(
            ConvNormReLU(dim, channels, norm=norm) for _ in self.scales
        )
        joined = dim + len(self.scales) * channels
        self.fuse = ConvNormReLU(joined, channels, kernel=3, norm=norm)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, dim, H, W) to (B, channels, H, W)."""
        pyramid = [features]
        for scale, projection in zip(self.scales, self.projections, strict=True):
            means = projection(functional.adaptive_avg_pool2d(features, scale))
            pyramid.append(
                functional.interpolate(
                    means, size=features.shape[-2:], mode="bilinear", align_corners=False
                )
            )
        fused: torch.Tensor = self.fuse(torch.cat(pyramid, dim=1))
        return fused


class UPerNetDecoder(Decoder):
    """From coarse to fine: add each map to the enlarged coarser one, then join all levels.

    Args:
        in_channels: Channels of the encoder's maps, from fine to coarse.
        strides: Image pixels per pixel of each map.
        num_classes: Channels of the logits.
        config: Size and choices; None takes the defaults.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        *,
        num_classes: int,
        config: UPerNetConfig | None = None,
    ) -> None:
        super().__init__()
        config = UPerNetConfig() if config is None else config
        channels, norm = config.channels, config.norm
        self.strides = tuple(strides)
        self.laterals = nn.ModuleList(
            ConvNormReLU(dim, channels, norm=norm) for dim in in_channels[:-1]
        )
        self.pooling = PyramidPooling(in_channels[-1], config=config)
        self.smoothings = nn.ModuleList(
            ConvNormReLU(channels, channels, kernel=3, norm=norm) for _ in in_channels[:-1]
        )
        levels = len(in_channels)
        self.fuse = ConvNormReLU(levels * channels, channels, kernel=3, norm=norm)
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(channels, num_classes, kernel_size=1)

    @override
    def forward(self, maps: Sequence[torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        pyramid = self._pyramid(maps)
        finest = pyramid[0].shape[-2:]
        joined = torch.cat(
            [
                enlarge(features, factor=stride // self.strides[0], size=finest)
                for features, stride in zip(pyramid, self.strides, strict=True)
            ],
            dim=1,
        )
        logits = self.head(self.dropout(self.fuse(joined)))
        return enlarge(logits, factor=self.strides[0], size=image.shape[-2:])

    def _pyramid(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Compute the maps (B, channels, H_i, W_i) of all levels, from fine to coarse."""
        coarser = self.pooling(maps[-1])
        pyramid = [coarser]
        for level in reversed(range(len(self.laterals))):
            lateral = self.laterals[level](maps[level])
            factor = self.strides[level + 1] // self.strides[level]
            coarser = lateral + enlarge(coarser, factor=factor, size=lateral.shape[-2:])
            pyramid.append(self.smoothings[level](coarser))
        return pyramid[::-1]
