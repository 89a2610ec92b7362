"""Scans along the channels, which are what a selective channel mixer does inside.

Source: MambaMixer (arXiv 2403.19888, section 3.2): a causal convolution and a selective scan along
the channels, forwards and backwards with separate parameters, the results added. What one step of
the sequence holds is not settled by the paper; the classes here are the readings of
``ChannelConfig.features``. They take and give (w, B, L), channels first.

Symbols: B batch, L pixels, M = B L, w channels, K directions, P features of a step, N states.
"""

import math

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import ShapeError
from rsmamba.models.encoders.mambamixer.config import ChannelConfig
from rsmamba.models.layers.activation import make_activation
from rsmamba.models.layers.scan_parameters import reset_A_log_, reset_dt_bias_, reset_dt_weight_
from rsmamba.ops.channel_scan import channel_scan
from rsmamba.ops.selective_scan import selective_scan


class CausalConv(nn.Module):
    """Convolve each feature along the steps with its own taps, of this step and those before.

    Plain multiplications and additions: torch's convolutions take 2 to 4 times longer for two
    channels of this shape.

    Args:
        directions: Number K of directions.
        features: Features P of a step.
        kernel: Number of taps.
    """

    def __init__(self, directions: int, features: int, *, kernel: int) -> None:
        super().__init__()
        bound = kernel**-0.5
        self.weight = nn.Parameter(torch.empty(kernel, directions, 1, features))
        self.bias = nn.Parameter(torch.empty(directions, 1, features))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    @override
    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """Map (..., K, steps, P) to the same shape; P may stand for many that share their taps."""
        steps, taps = sequences.shape[-2], self.weight.shape[0]
        padded = functional.pad(sequences, (0, 0, taps - 1, 0))
        out = torch.addcmul(self.bias, padded[..., :steps, :], self.weight[0])
        for tap in range(1, taps):
            # In place: the product needs its factors for the gradient, not the sum.
            out.addcmul_(padded[..., tap : tap + steps, :], self.weight[tap])
        return out


class PixelScan(nn.Module):
    """Scan the channels of each pixel by itself, one number a step.

    Args:
        config: Choices inside the channel mixer.
    """

    def __init__(self, config: ChannelConfig) -> None:
        super().__init__()
        self.directions = 2 if config.bidirectional else 1
        shape = (self.directions, config.d_state)
        self.conv = CausalConv(self.directions, 1, kernel=config.kernel)
        self.act = make_activation(config.activation)
        # Weights of projections from one number, so their bound in Mamba's initialisation is 1.
        self.dt_weight = nn.Parameter(torch.empty(self.directions).uniform_(-1, 1))
        self.dt_bias = nn.Parameter(reset_dt_bias_(torch.empty(self.directions)))
        self.B_weight = nn.Parameter(torch.empty(shape).uniform_(-1, 1))
        self.C_weight = nn.Parameter(torch.empty(shape).uniform_(-1, 1))
        self.A_logs = nn.Parameter(reset_A_log_(torch.empty(shape)))
        self.Ds = nn.Parameter(torch.ones(self.directions))

    @override
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (w, B, L) to the same shape."""
        sequences = _directed(values.flatten(1), self.directions, dim=0)  # (K, w, M)
        y = channel_scan(
            self.act(self.conv(sequences)),
            dt_weight=self.dt_weight,
            dt_bias=self.dt_bias,
            A=_decay_rates(self.A_logs),
            B=self.B_weight,
            C=self.C_weight,
            D=self.Ds,
        )
        return _merged(y, dim=0).view(values.shape)


class VectorScan(nn.Module):
    """Scan sequences whose steps hold P features, as Mamba does.

    Args:
        features: Features P of a step.
        config: Choices inside the channel mixer.
    """

    def __init__(self, features: int, *, config: ChannelConfig) -> None:
        super().__init__()
        rank, states = math.ceil(features / 16), config.d_state
        self.directions = directions = 2 if config.bidirectional else 1
        self.parts = (rank, states, states)
        self.conv = CausalConv(directions, features, kernel=config.kernel)
        self.act = make_activation(config.activation)
        bound = features**-0.5
        x_proj_weight = torch.empty(directions, sum(self.parts), features).uniform_(-bound, bound)
        dt_projs_weight = torch.empty(directions, features, rank)
        self.x_proj_weight = nn.Parameter(x_proj_weight)
        self.dt_projs_weight = nn.Parameter(reset_dt_weight_(dt_projs_weight))
        self.dt_projs_bias = nn.Parameter(reset_dt_bias_(torch.empty(directions, features)))
        self.A_logs = nn.Parameter(reset_A_log_(torch.empty(directions, features, states)))
        self.Ds = nn.Parameter(torch.ones(directions, features))

    def scan(self, sequences: torch.Tensor) -> torch.Tensor:
        """Scan along the steps.

        Args:
            sequences: Sequences (batch, steps, P).

        Returns:
            Sequences of the same shape.
        """
        x = self.act(self.conv(_directed(sequences, self.directions, dim=1)))
        dt, B, C = (x @ self.x_proj_weight.transpose(1, 2)).split(self.parts, dim=-1)
        y = selective_scan(
            x,
            dt @ self.dt_projs_weight.transpose(1, 2),
            _decay_rates(self.A_logs),
            B=B,
            C=C,
            D=self.Ds,
            dt_bias=self.dt_projs_bias,
        )
        return _merged(y, dim=1)


class GroupScan(VectorScan):
    """Scan the channels of each pixel by itself, a group of neighbouring channels a step.

    Args:
        config: Choices inside the channel mixer.
    """

    def __init__(self, config: ChannelConfig) -> None:
        super().__init__(config.group_size, config=config)
        self.group_size = config.group_size

    @override
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (w, B, L) to the same shape."""
        channels, batch, pixels = values.shape
        steps = channels // self.group_size
        sequences = values.permute(1, 2, 0).reshape(batch * pixels, steps, self.group_size)
        return self.scan(sequences).view(batch, pixels, channels).permute(2, 0, 1)


class MapScan(VectorScan):
    """Scan the channels of a whole map, all its pixels a step.

    Args:
        height: Rows of the map.
        width: Columns of the map.
        config: Choices inside the channel mixer.
    """

    def __init__(self, *, height: int, width: int, config: ChannelConfig) -> None:
        super().__init__(height * width, config=config)
        self.pixels = height * width

    @override
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map (w, B, L) to the same shape."""
        if values.shape[2] != self.pixels:
            message = (
                f'channel features "tokens" were made for maps of {self.pixels} pixels, got '
                f"{values.shape[2]}; give images of image_size, or choose other channel features"
            )
            raise ShapeError(message)
        return self.scan(values.permute(1, 0, 2)).permute(1, 0, 2)


def _directed(sequences: torch.Tensor, directions: int, *, dim: int) -> torch.Tensor:
    """Put sequences, and their reverses if there are two directions, behind each other at dim."""
    both = [sequences, sequences.flip(dim)]
    return torch.stack(both[:directions], dim=dim)


def _merged(y: torch.Tensor, *, dim: int) -> torch.Tensor:
    """Turn the second direction back and add the directions."""
    forward, *backward = y.unbind(dim)
    return forward + backward[0].flip(dim) if backward else forward


def _decay_rates(A_logs: torch.Tensor) -> torch.Tensor:
    """Compute A in float32 at least, whatever the network computes in."""
    return -torch.exp(A_logs.to(torch.promote_types(A_logs.dtype, torch.float32)))
