"""VMamba as an encoder and as the classifier that the released weights are.

Source: "VMamba: Visual State Space Model" (arXiv 2401.10166) and its released code
(MzeroMiko/VMamba at 2ed52ea: VSSM and Backbone_VSSM). Different here: maps are channels last
whatever the norm is called, and the step in resolution belongs to the stage behind it.
"""

from collections.abc import Iterator

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.vmamba.config import Config
from rsmamba.models.encoders.vmamba.resolution import Stem, make_downsample, make_norm
from rsmamba.models.layers.activation import make_activation
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.initialisation import initialise_linear
from rsmamba.models.layers.mlp import GatedMlp, Mlp
from rsmamba.models.layers.ss2d import SS2D
from rsmamba.models.layers.vss_block import VSSBlock
from rsmamba.models.pruning.feeding import assign_pruning


class Stage(nn.Module):
    """A step in resolution and the blocks behind it.

    Args:
        downsample: Maps the finer stage's map to this resolution; None in the first stage.
        blocks: The blocks of this resolution.
    """

    def __init__(self, downsample: nn.Module | None, blocks: list[VSSBlock]) -> None:
        super().__init__()
        self.downsample = downsample
        self.blocks = nn.Sequential(*blocks)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the map of this stage, (B, H', W', C')."""
        if self.downsample is not None:
            features = self.downsample(features)
        return self.blocks(features)


class VMambaEncoder(Encoder):
    """The stages of VMamba, each giving out its normalised map.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.out_channels = tuple(config.dims[index] for index in config.outputs)
        self.strides = tuple(config.strides[index] for index in config.outputs)
        # The official dense form never adds the position embedding, where there is one.
        self.stem = Stem(config, in_channels=in_channels, position=False)
        self.stages = make_stages(config)
        norm = make_norm(config)
        # By the number of the stage, so that other outputs do not rename the weights.
        self.out_norms = nn.ModuleDict(
            {str(index): norm(config.dims[index]) for index in config.outputs}
        )
        self.last = config.outputs[-1]
        self.apply(initialise_linear)
        assign_pruning(self, config.pruning)

    @override
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        features = self.stem(image)
        for index, stage in enumerate(self.stages):
            if index > self.last:
                break
            features = stage(features)
            if str(index) in self.out_norms:
                maps.append(self.out_norms[str(index)](features).permute(0, 3, 1, 2))
        return maps


class VMambaClassifier(nn.Module):
    """The stages, a norm, the mean over the positions, and a head.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.
    """

    def __init__(self, config: Config, *, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = Stem(config, in_channels=in_channels)
        self.stages = make_stages(config)
        self.norm = make_norm(config)(config.dims[-1])
        self.head = nn.Linear(config.dims[-1], num_classes)
        self.apply(initialise_linear)
        assign_pruning(self, config.pruning)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W), any H and W, to logits (B, num_classes)."""
        features = self.stem(image)
        for stage in self.stages:
            features = stage(features)
        return self.head(self.norm(features).mean(dim=(1, 2)))


def make_encoder(config: Config, *, in_channels: int) -> Encoder:
    """Build the dense form.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.

    Returns:
        The encoder, with fresh weights.
    """
    return VMambaEncoder(config, in_channels=in_channels)


def make_classifier(config: Config, *, in_channels: int, num_classes: int) -> nn.Module:
    """Build the form that the released ImageNet weights are of.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.

    Returns:
        A module that maps (B, C, H, W) to (B, num_classes), with fresh weights.
    """
    return VMambaClassifier(config, in_channels=in_channels, num_classes=num_classes)


def make_stages(config: Config) -> nn.ModuleList:
    """Build the stages, from fine to coarse.

    Args:
        config: Size and choices of the network.

    Returns:
        One module for each stage; they map channels-last maps.
    """
    rates = iter(linear_rates(config.drop_path, sum(config.depths)))
    stages = nn.ModuleList()
    for index, (dim, depth) in enumerate(zip(config.dims, config.depths, strict=True)):
        finer = config.dims[index - 1] if index else None
        downsample = None if finer is None else make_downsample(config, dim=finer, out=dim)
        blocks = [_block(config, dim=dim, rates=rates) for _ in range(depth)]
        stages.append(Stage(downsample, blocks))
    return stages


def _block(config: Config, *, dim: int, rates: Iterator[float]) -> VSSBlock:
    return VSSBlock(
        dim,
        mixer=_mixer(config, dim) if config.ssm_ratio else None,
        feed_forward=_feed_forward(config, dim) if config.mlp_ratio else None,
        norm=make_norm(config),
        drop_path=next(rates),
    )


def _mixer(config: Config, dim: int) -> nn.Module:
    return SS2D(
        dim,
        d_state=config.d_state,
        ssm_ratio=config.ssm_ratio,
        dt_rank=None if config.dt_rank == "auto" else config.dt_rank,
        paths=config.mixer.paths,
        form=config.mixer.form,
    )


def _feed_forward(config: Config, dim: int) -> nn.Module:
    make = GatedMlp if config.gmlp else Mlp
    activation = make_activation(config.mlp_act_layer)
    return make(dim, int(config.mlp_ratio * dim), activation=activation)
