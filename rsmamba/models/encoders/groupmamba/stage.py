"""The stages of GroupMamba and what halves the resolution before them.

Source: GroupMamba (arXiv 2407.13772, figure 2) and its released code, which has other stem
convolutions than the figure.
"""

import math

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.groupmamba.block import Block
from rsmamba.models.encoders.groupmamba.config import Config
from rsmamba.models.layers.drop_path import linear_rates


class PatchEmbed(nn.Module):
    """Overlapping patches: a 3x3 convolution of stride 2 and a LayerNorm.

    Args:
        in_channels: Channels of the map.
        dim: Channels of the result.
    """

    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, kernel_size=3, stride=2, padding=1)
        self.norm = nn.LayerNorm(dim)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, ceil(H / 2), ceil(W / 2), dim)."""
        return self.norm(self.proj(features).permute(0, 2, 3, 1))  # (B, H, W, C)


class Stem(PatchEmbed):
    """Three convolutions with BatchNorm, the first of stride 2, before the patches.

    Args:
        in_channels: Channels of the image.
        hidden: Channels of the three convolutions.
        dim: Channels of the result.
    """

    def __init__(self, in_channels: int, hidden: int, dim: int) -> None:
        super().__init__(hidden, dim)
        layers: list[nn.Module] = []
        for channels, kernel, stride in ((in_channels, 7, 2), (hidden, 3, 1), (hidden, 3, 1)):
            conv = nn.Conv2d(
                channels, hidden, kernel, stride=stride, padding=kernel // 2, bias=False
            )
            layers += [conv, nn.BatchNorm2d(hidden), nn.ReLU()]
        self.conv = nn.Sequential(*layers)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W) to (B, ceil(H / 4), ceil(W / 4), dim)."""
        # From here on maps lie channels last, so that no later layer has to turn one round.
        return super().forward(self.conv(image.contiguous(memory_format=torch.channels_last)))


class Stage(nn.Module):
    """Lower the resolution, then mix in blocks.

    Args:
        patch_embed: Lowers the resolution.
        blocks: The blocks, at least one.
        norm: Normalises what leaves the stage.
    """

    def __init__(self, patch_embed: PatchEmbed, blocks: list[Block], norm: nn.LayerNorm) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.blocks = nn.Sequential(*blocks)
        self.norm = norm

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the normalised map of the stage, (B, dim, h, w)."""
        return self.norm(self.mix(features)).permute(0, 3, 1, 2)

    def mix(self, features: torch.Tensor) -> torch.Tensor:
        """Return the map of the last block before the norm.

        Args:
            features: Map (B, C, H, W) of the stage before, or the image.

        Returns:
            The map, (B, h, w, dim).
        """
        return self.blocks(self.patch_embed(features))


def make_stages(config: Config, *, in_channels: int) -> nn.ModuleList:
    """Build all stages.

    Args:
        config: Size of the network.
        in_channels: Bands of the image.

    Returns:
        The stages from fine to coarse.
    """
    rates = iter(linear_rates(config.drop_path, sum(config.depths)))
    stages = nn.ModuleList()
    sizes = zip(config.embed_dims, config.depths, config.hidden_dims, strict=True)
    for index, (dim, depth, hidden) in enumerate(sizes):
        blocks = [
            Block(dim, hidden=hidden, drop_path=next(rates), norm_eps=config.norm_eps)
            for _ in range(depth)
        ]
        patch_embed = (
            PatchEmbed(config.embed_dims[index - 1], dim)
            if index
            else Stem(in_channels, config.stem_hidden_dim, dim)
        )
        stages.append(Stage(patch_embed, blocks, nn.LayerNorm(dim, eps=config.norm_eps)))
    return stages


def initialise(module: nn.Module) -> None:
    """Give one layer its first weights, as the official code does; use with `Module.apply`.

    Args:
        module: Any layer; only linear layers and convolutions change.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.zeros_(module.bias)
