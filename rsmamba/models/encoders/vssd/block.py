"""The block of VSSD and the stage of such blocks."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.vssd.attention import SelfAttention
from rsmamba.models.encoders.vssd.config import Config
from rsmamba.models.encoders.vssd.mixer import SSDMixer
from rsmamba.models.encoders.vssd.stem import make_downsample
from rsmamba.models.layers.depthwise import DepthwiseConv2d
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.mlp import Mlp
from rsmamba.models.pruning.config import FeedForwardPruning
from rsmamba.models.pruning.feeding import fed_forward


class Block(nn.Module):
    """Add four branches in turn: local convolution, mixer, local convolution, two-layer network.

    Source: VSSD (arXiv 2407.18559) and its code. The convolutions carry all position information.

    Attributes:
        pruning: Tokens that the two-layer network sees, None for all.

    Args:
        config: Configuration of the network.
        stage: Index of the stage.
        drop_rate: Probability that a sample loses the mixer or the two-layer network.
    """

    def __init__(self, config: Config, *, stage: int, drop_rate: float) -> None:
        super().__init__()
        dim = config.dims[stage]
        self.cpe1 = DepthwiseConv2d(dim)
        self.norm1 = nn.LayerNorm(dim)
        self.attn: nn.Module
        if config.attn_types[stage] == "standard":
            self.attn = SelfAttention(dim, heads=config.num_heads[stage])
        else:
            self.attn = SSDMixer(config, stage=stage)
        self.cpe2 = DepthwiseConv2d(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, int(dim * config.mlp_ratio))
        self.drop_path = DropPath(drop_rate)
        self.pruning: FeedForwardPruning | None = None

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        features = features + self.cpe1(features)
        mixed = self.drop_path(self.attn(self.norm1(features)))
        features = features + mixed
        features = features + self.cpe2(features)
        return fed_forward(features, mixed, pruning=self.pruning, everywhere=self._fed)

    def _fed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Compute the branch of the two-layer network, of tokens (..., C)."""
        return self.drop_path(self.mlp(self.norm2(tokens)))


class Stage(nn.Module):
    """Blocks of one resolution and, except behind the last stage, the way to the next one.

    Args:
        config: Configuration of the network.
        stage: Index of the stage.
        drop_rates: Drop rate of each block.
    """

    def __init__(self, config: Config, *, stage: int, drop_rates: list[float]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(Block(config, stage=stage, drop_rate=rate) for rate in drop_rates)
        )
        last = stage == len(config.depths) - 1
        self.downsample = None if last else make_downsample(config, config.dims[stage])

    @override
    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the stage's map (B, H, W, C) and what the next stage takes."""
        features = self.blocks(features)
        return features, features if self.downsample is None else self.downsample(features)
