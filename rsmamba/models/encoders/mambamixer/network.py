"""ViM2 as a dense encoder and as a classifier.

Source: MambaMixer (arXiv 2403.19888, section 4 and figure 8). No code and no weights were released;
what the paper leaves open is an option of the configuration. Different here: images whose sides
are not multiples of 4 are padded by reflection, odd maps by a row or column of zeros before they
are halved, so that any size works. Each map of the dense form goes through a LayerNorm of its own,
as in the dense form of VMamba, whose frame the paper takes over.
"""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.mambamixer.config import PATCH, Config
from rsmamba.models.encoders.mambamixer.stage import Stage, mixer_kinds
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.initialisation import initialise_linear
from rsmamba.models.layers.padding import pad_to_multiple
from rsmamba.models.layers.patch import PatchEmbed, PatchMerging


class ViM2Stages(nn.Module):
    """What the dense form and the classifier share: patches and stages.

    Args:
        config: Choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(in_channels, config.embed_dim, patch=PATCH)
        self.stages = _stages(config)
        self.mergings = nn.ModuleList(PatchMerging(dim, pad_odd=True) for dim in config.dims[:-1])

    @override
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Map an image (B, C, H, W) to one map (B, H_i, W_i, C_i) for each stage."""
        features = self.patch_embed(pad_to_multiple(image, PATCH))
        maps: list[torch.Tensor] = []
        for index, stage in enumerate(self.stages):
            maps.append(stage(self.mergings[index - 1](maps[-1]) if maps else features))
        return maps


class ViM2Encoder(Encoder):
    """Compute the map of every stage, each behind a LayerNorm of its own.

    Args:
        config: Choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.out_channels = config.dims
        self.strides = tuple(PATCH * 2**stage for stage in range(len(config.dims)))
        self.trunk = ViM2Stages(config, in_channels=in_channels)
        self.out_norms = nn.ModuleList(nn.LayerNorm(dim) for dim in config.dims)
        self.apply(initialise_linear)

    @override
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps = zip(self.out_norms, self.trunk(image), strict=True)
        return [norm(features).permute(0, 3, 1, 2) for norm, features in maps]  # (B, C, H, W)


class ViM2Classifier(nn.Module):
    """Classify an image by the normalised mean of the last stage's map.

    Args:
        config: Choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.
    """

    def __init__(self, config: Config, *, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.trunk = ViM2Stages(config, in_channels=in_channels)
        self.norm = nn.LayerNorm(config.dims[-1])
        self.head = nn.Linear(config.dims[-1], num_classes)
        self.apply(initialise_linear)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W), any H and W, to logits (B, num_classes)."""
        pooled = self.trunk(image)[-1].mean(dim=(1, 2))
        return self.head(self.norm(pooled))


def make_encoder(config: Config, *, in_channels: int) -> ViM2Encoder:
    """Build the dense form.

    Args:
        config: Choices of the network.
        in_channels: Bands of the image.

    Returns:
        The encoder.
    """
    return ViM2Encoder(config, in_channels=in_channels)


def make_classifier(config: Config, *, in_channels: int, num_classes: int) -> ViM2Classifier:
    """Build the classifier.

    Args:
        config: Choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.

    Returns:
        Module that maps images (B, C, H, W) to logits (B, num_classes).
    """
    return ViM2Classifier(config, in_channels=in_channels, num_classes=num_classes)


def _stages(config: Config) -> nn.ModuleList:
    counts = [len(mixer_kinds(config, stage=stage)) for stage in range(len(config.dims))]
    rates = linear_rates(config.drop_path, sum(counts))
    stages = nn.ModuleList()
    for stage, count in enumerate(counts):
        start = sum(counts[:stage])
        stages.append(Stage(config, stage=stage, drop_rates=rates[start : start + count]))
    return stages
