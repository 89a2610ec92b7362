"""The selective channel mixer: project, scan along the channels, gate, project back.

Source: MambaMixer (arXiv 2403.19888, section 3.2 and figure 8). Different here: the flip of the
backward direction turns the result of the scan back before the gate, so that the gate meets the
channels in their order in both directions.
"""

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.mambamixer.channel_scans import GroupScan, MapScan, PixelScan
from rsmamba.models.encoders.mambamixer.config import Config
from rsmamba.models.layers.activation import make_activation


class ChannelMixer(nn.Module):
    """Mix the channels of a map by scans along them.

    Between the projections, maps lie channels first, (w, M) with M pixels of the whole batch: a
    step of the scan then reads a row. The matrix products read and write that order as they are.

    Args:
        config: Choices of the network.
        stage: Index of the stage.
    """

    def __init__(self, config: Config, *, stage: int) -> None:
        super().__init__()
        dim, width = config.dims[stage], config.widths[stage]
        self.gate = config.channel.gate
        rows = width if self.gate == "none" else 2 * width
        self.in_proj = nn.Linear(dim, rows, bias=False)
        self.scan = _make_scan(config, stage=stage)
        self.act = make_activation(config.channel.activation)
        self.out_proj = nn.Linear(width, dim, bias=False)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        batch, height, width, dim = features.shape
        values = self.in_proj.weight @ features.reshape(-1, dim).t()  # (w or 2w, M)
        gate = None
        if self.gate != "none":
            values, gate = values.chunk(2)
        y = self.scan(values.view(-1, batch, height * width)).reshape(values.shape)
        if gate is not None:
            y = y * (self.act(gate) if self.gate == "activated" else gate)
        return functional.linear(y.t(), self.out_proj.weight).view(features.shape)


def _make_scan(config: Config, *, stage: int) -> nn.Module:
    """Make the scan that the configuration names."""
    channel = config.channel
    if channel.features == "scalar":
        return PixelScan(channel)
    if channel.features == "groups" or config.image_size is None:
        return GroupScan(channel)
    rows, cols = config.image_size
    height, width = config.sides(height=rows, width=cols)[stage]
    return MapScan(height=height, width=width, config=channel)
