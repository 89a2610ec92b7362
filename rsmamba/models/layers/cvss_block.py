"""The block of CVMH-UNet: a state-space branch and a convolutional branch side by side.

Source: CVMH-UNet (arXiv 2410.05624 v1, section III-B, equations 1 to 4, figure 2). The paper leaves
parts open; the choices that its parameter and operation counts do not settle are options here.

Glossary: CS cross-scan module, CA channel attention, SA spatial attention.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.layers.attention import ChannelAttention, ChannelPooling, SpatialAttention
from rsmamba.models.layers.feed_forward import EfficientFeedForward, SeparableConv
from rsmamba.models.layers.vss_block import VSSBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBranchConfig:
    """Choices inside the block that the paper leaves open.

    Attributes:
        channel_pooling: Channel attention as CBAM (average and maximum) or SE (average).
        spatial_kernel: Side of the spatial attention's convolution.
        local_norm: BatchNorm behind the local convolution, else convolution biases.
        pointwise: Which depth-wise convolution carries the extra 1x1: the one of the local branch,
            or the one behind the sum of the branches. The parameter counts are equal.
        final_activation: ReLU6 behind the feed-forward part.
    """

    channel_pooling: ChannelPooling = "cbam"
    spatial_kernel: int = 7
    local_norm: bool = True
    pointwise: Literal["local", "fusion"] = "local"
    final_activation: bool = True


class ChannelsFirstNorm(nn.LayerNorm):
    """LayerNorm over the channels of a channels-first map."""

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class CVSSBlock(nn.Module):
    """Sum of a global scan branch and a local convolution branch, fused and fed forward.

    Args:
        mixer: The residual state-space block of the global branch, with ``dim`` channels.
        dim: Channels of the map.
        config: Choices that the paper leaves open.
    """

    def __init__(self, mixer: VSSBlock, *, dim: int, config: LocalBranchConfig) -> None:
        super().__init__()
        self.mixer = mixer
        self.channel_attention = ChannelAttention(dim, pooling=config.channel_pooling)
        separable = SeparableConv(dim, norm=config.local_norm)
        depthwise = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim)
        pointwise_local = config.pointwise == "local"
        self.local = separable if pointwise_local else depthwise
        self.spatial_attention = SpatialAttention(kernel=config.spatial_kernel)
        self.fusion = nn.Sequential(
            depthwise if pointwise_local else separable,
            ChannelsFirstNorm(dim),
            nn.Conv2d(dim, dim, kernel_size=1),
        )
        self.feed_forward = EfficientFeedForward(dim, final_activation=config.final_activation)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        image = features.permute(0, 3, 1, 2)  # (B, C, H, W)
        global_branch = self.channel_attention(self.mixer(features).permute(0, 3, 1, 2))
        local_branch = self.spatial_attention(self.local(image))
        fused = image + self.fusion(global_branch + local_branch)
        out: torch.Tensor = fused + self.feed_forward(fused)
        return out.permute(0, 2, 3, 1)
