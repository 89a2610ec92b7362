"""VSSD as a dense encoder and as the classifier of the released weights."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.vssd.block import Stage
from rsmamba.models.encoders.vssd.config import Config
from rsmamba.models.encoders.vssd.stem import PATCH, make_stem
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.pruning.feeding import assign_pruning


class VSSDEncoder(Encoder):
    """Compute the map of every stage, each behind a LayerNorm of its own.

    The LayerNorms belong to dense use: released classification weights do not hold them, and the
    next stage takes the map as it is without them.

    Args:
        config: Choices of the network.
        in_channels: Channels of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.out_channels = config.dims
        self.strides = tuple(PATCH * 2**stage for stage in range(len(config.dims)))
        self.patch_embed = make_stem(config, in_channels=in_channels)
        self.layers = _stages(config)
        for stage, dim in enumerate(config.dims):
            self.add_module(f"outnorm{stage}", nn.LayerNorm(dim))
        self.apply(_reset_parameters)
        assign_pruning(self, config.pruning)

    @override
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Compute the feature maps.

        Args:
            image: Normalised image (B, C, H, W), any H and W.

        Returns:
            One map (B, out_channels[i], ceil(H / strides[i]), ceil(W / strides[i])) for each stage.
        """
        features = self.patch_embed(image)
        maps = []
        for index, stage in enumerate(self.layers):
            stage_map, features = stage(features)
            normalised = self.get_submodule(f"outnorm{index}")(stage_map)
            maps.append(normalised.permute(0, 3, 1, 2))  # (B, C, H, W)
        return maps


class VSSDClassifier(nn.Module):
    """Classify an image by the mean of the last stage's normalised tokens.

    Args:
        config: Choices of the network.
        in_channels: Channels of the image.
        num_classes: Number of classes.
    """

    def __init__(self, config: Config, *, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.patch_embed = make_stem(config, in_channels=in_channels)
        self.layers = _stages(config)
        self.norm = nn.LayerNorm(config.dims[-1])
        self.head = nn.Linear(config.dims[-1], num_classes)
        self.apply(_reset_parameters)
        assign_pruning(self, config.pruning)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W), any H and W, to logits (B, num_classes)."""
        features = self.patch_embed(image)
        for stage in self.layers:
            _, features = stage(features)
        return self.head(self.norm(features).mean(dim=(1, 2)))


def make_encoder(config: Config, *, in_channels: int) -> VSSDEncoder:
    """Build the dense form.

    Args:
        config: Choices of the network.
        in_channels: Channels of the image.

    Returns:
        The encoder.
    """
    return VSSDEncoder(config, in_channels=in_channels)


def make_classifier(config: Config, *, in_channels: int, num_classes: int) -> VSSDClassifier:
    """Build the classifier.

    Args:
        config: Choices of the network.
        in_channels: Channels of the image.
        num_classes: Number of classes.

    Returns:
        Module that maps images (B, C, H, W) to logits (B, num_classes).
    """
    return VSSDClassifier(config, in_channels=in_channels, num_classes=num_classes)


def _stages(config: Config) -> nn.ModuleList:
    rates = linear_rates(config.drop_path, sum(config.depths))
    stages = []
    for stage, depth in enumerate(config.depths):
        start = sum(config.depths[:stage])
        stages.append(Stage(config, stage=stage, drop_rates=rates[start : start + depth]))
    return nn.ModuleList(stages)


def _reset_parameters(module: nn.Module) -> None:
    """Start linear layers as the official code does; the others start as torch starts them."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
