"""A stage of ViM2: token and channel mixers of one resolution, joined by weighted averages.

Source: MambaMixer (arXiv 2403.19888, sections 3.3 and 4.1, figure 8). Different here: the stage's
input, which the paper counts both as the 0th token and as the 0th channel output, has one weight
instead of two that only act as their sum.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.mambamixer.channel_mixer import ChannelMixer
from rsmamba.models.encoders.mambamixer.config import Averaging, Config
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.ss2d import SS2D, SS2DForm
from rsmamba.models.layers.vss_block import VSSBlock


class WeightedAverage(nn.Module):
    """Add earlier maps, each times a learned number.

    Args:
        count: Number of maps.
        kind: How the numbers start, and whether they are normalised.
    """

    def __init__(self, count: int, *, kind: Averaging) -> None:
        super().__init__()
        start = torch.ones(count) if kind == "ones" else torch.zeros(count)
        if kind == "identity":
            start[-1] = 1
        self.normalised = kind == "softmax"
        self.weight = nn.Parameter(start)

    @override
    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map `count` maps of one shape to one map of that shape."""
        weights = (self.weight.softmax(0) if self.normalised else self.weight).unbind()
        total = maps[0] * weights[0]
        for features, weight in zip(maps[1:], weights[1:], strict=True):
            # One running sum in place: gradients need the maps, not the partial sums.
            total.addcmul_(features, weight)
        return total


class Stage(nn.Module):
    """Token and channel mixers, each on an average of the stage's input and all earlier results.

    Args:
        config: Choices of the network.
        stage: Index of the stage.
        drop_rates: Drop rate of each mixer.
    """

    def __init__(self, config: Config, *, stage: int, drop_rates: Sequence[float]) -> None:
        super().__init__()
        kinds = mixer_kinds(config, stage=stage)
        self.mixers = nn.ModuleList(
            _block(config, stage=stage, kind=kind, drop_path=rate)
            for kind, rate in zip(kinds, drop_rates, strict=True)
        )
        # Without residuals in the mixers, the stage's result has to be a sum as well.
        averages = len(kinds) if config.inner_residual else len(kinds) + 1
        self.averages = nn.ModuleList(
            WeightedAverage(index + 1, kind=config.averaging)
            for index in range(averages if config.averaging != "none" else 0)
        )

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        if not len(self.averages):
            for mixer in self.mixers:
                features = mixer(features)
            return features
        maps = [features]
        for index, mixer in enumerate(self.mixers):
            maps.append(mixer(self.averages[index](maps)))
        if len(self.averages) == len(self.mixers):
            return maps[-1]
        total: torch.Tensor = self.averages[-1](maps)
        return total


def mixer_kinds(config: Config, *, stage: int) -> str:
    """Say which mixers a stage has, in their order.

    Args:
        config: Choices of the network.
        stage: Index of the stage.

    Returns:
        One letter for each mixer, T for token and C for channel.

    Example:
        >>> mixer_kinds(Config(), stage=2)
        'TTCTTC'
    """
    tokens, channels = config.token_depths[stage], config.channel_depths[stage]
    if config.order == "separate" or not channels:
        return "T" * tokens + "C" * channels
    group = "T" * (tokens // channels)
    return (group + "C" if config.order == "tokens_first" else "C" + group) * channels


def _block(config: Config, *, stage: int, kind: str, drop_path: float) -> nn.Module:
    """Make a mixer behind a LayerNorm, with a residual around it or without."""
    dim = config.dims[stage]
    mixer = ChannelMixer(config, stage=stage) if kind == "C" else _token_mixer(config, dim=dim)
    if config.inner_residual:
        return VSSBlock(dim, mixer=mixer, norm=nn.LayerNorm, drop_path=drop_path)
    layers = {"norm": nn.LayerNorm(dim), "op": mixer, "drop_path": DropPath(drop_path)}
    return nn.Sequential(OrderedDict(layers))


def _token_mixer(config: Config, *, dim: int) -> SS2D:
    token = config.token
    form = SS2DForm(
        gate=token.gate,
        activation=token.activation,
        out_norm="layer" if token.out_norm else "none",
    )
    return SS2D(
        dim, d_state=token.d_state, ssm_ratio=token.ssm_ratio, dt_rank=token.dt_rank, form=form
    )
