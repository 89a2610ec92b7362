"""The token mixer of GroupMamba: four groups of channels, scanned in four directions.

Source: GroupMamba (arXiv 2407.13772, section 3) and its released code (Amshaker/GroupMamba,
c1800ed). Different here: the four groups, which the official code keeps in four modules, share one
set of parameters with a group axis and run as one scan with K = 4; and directions are transposes
and flips that torch differentiates, because the official backward of the column directions is wrong
for maps that are not square.

Symbols: B batch, H height, W width, L = H W, C channels, K = 4 groups, D = C / 4 channels of a
group, N = 1 state, R rank of the step-size projection.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.groupmamba.config import GROUPS, REDUCTION
from rsmamba.models.layers.depthwise import DepthwiseConv2d
from rsmamba.models.layers.mlp import Mlp
from rsmamba.models.layers.scan_parameters import reset_A_log_, reset_dt_bias_, reset_dt_weight_
from rsmamba.ops.selective_scan import selective_scan

STATES = 1
"""State size N of each channel."""


class ModulatedGroupMixer(nn.Module):
    """Scan the groups, and weigh their channels by what the whole map holds of them.

    The official code calls it GroupMambaLayer, the paper Modulated Group Mamba. Its norm is used
    twice: on what comes in and on the modulated result.

    Args:
        dim: Channels C of the map, a multiple of 4.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.affinity = Mlp(dim, dim // REDUCTION, activation=nn.ReLU())
        self.scan = GroupedScan(dim)
        self.skip_scale = nn.Parameter(torch.ones(1))
        self.proj = nn.Linear(dim, dim)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        normed = self.norm(features)
        pooled = normed.mean(dim=(1, 2), keepdim=True)  # (B, 1, 1, C)
        gain = self.skip_scale * torch.sigmoid(self.affinity(pooled))
        return self.proj(self.norm(normed * gain * self.scan(normed)))


class GroupedScan(nn.Module):
    """Project, convolve, scan and gate four groups of channels, each along its own direction.

    The paper's VSSS block, four of them side by side. Parameters are named as in the official code
    and hold the groups one behind the other.

    Args:
        dim: Channels C of the map, a multiple of 4.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        width = dim // GROUPS
        self.rank = math.ceil(width / 16)
        self.in_proj = GroupedLinear(width, 2 * width)
        self.conv2d = DepthwiseConv2d(dim)
        self.x_proj_weight = nn.Parameter(torch.empty(GROUPS, self.rank + 2 * STATES, width))
        self.dt_projs_weight = nn.Parameter(torch.empty(GROUPS, width, self.rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(GROUPS, width))
        self.A_logs = nn.Parameter(torch.empty(GROUPS, width, STATES))
        self.Ds = nn.Parameter(torch.ones(GROUPS, width))
        self.out_norm = GroupedLayerNorm(dim)
        self.out_proj = GroupedLinear(width, width)
        self._reset_scan_parameters()

    @torch.no_grad()
    def _reset_scan_parameters(self) -> None:
        """Start the scans as Mamba does (arXiv 2312.00752, 3.6)."""
        for weight in self.x_proj_weight:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        reset_dt_weight_(self.dt_projs_weight)
        reset_dt_bias_(self.dt_projs_bias)
        reset_A_log_(self.A_logs)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        batch, height, width, _ = features.shape
        groups = features.reshape(batch, height, width, GROUPS, -1).movedim(-2, 0)
        x, gate = self.in_proj(groups).chunk(2, dim=-1)
        x = functional.silu(self.conv2d(x.movedim(0, -2).flatten(-2)))  # (B, H, W, C)
        y = from_sequences(self._scan(to_sequences(x)), height, width)  # (K, B, H, W, D)
        gated = self.out_proj(y.to(gate.dtype) * functional.silu(gate))
        return gated.movedim(0, -2).reshape(batch, height, width, -1)

    def _scan(self, sequences: Tensor) -> Tensor:
        """Scan (B, K, L, D) and normalise the result, in float32 or better."""
        projected = torch.matmul(sequences, self.x_proj_weight.mT)
        low_rank, B, C = torch.split(projected, [self.rank, STATES, STATES], dim=-1)
        dtype = torch.promote_types(sequences.dtype, torch.float32)
        y = selective_scan(
            sequences.to(dtype),
            torch.matmul(low_rank, self.dt_projs_weight.mT),
            -torch.exp(self.A_logs.to(dtype)),
            B=B,
            C=C,
            D=self.Ds,
            dt_bias=self.dt_projs_bias,
        )
        return self.out_norm(y)


class GroupedLinear(nn.Module):
    """A linear layer without bias for each group.

    Args:
        width: Channels of a group.
        out: Channels of a group of the result.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(GROUPS, out, width))
        nn.init.trunc_normal_(self.weight, std=0.02)

    @override
    def forward(self, groups: Tensor) -> Tensor:
        """Map (K, ..., width) to (K, ..., out)."""
        # One batched product reads the groups where they lie in the channels-last map.
        product = torch.bmm(groups.flatten(1, -2), self.weight.mT)
        return product.view(*groups.shape[:-1], -1)


class GroupedLayerNorm(nn.Module):
    """Normalise each group of channels by itself.

    Args:
        dim: Channels of all groups together.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    @override
    def forward(self, sequences: Tensor) -> Tensor:
        """Map (B, K, L, D) to the same shape."""
        weight, bias = (vector.view(GROUPS, 1, -1) for vector in (self.weight, self.bias))
        normed = functional.layer_norm(sequences, sequences.shape[-1:])
        return torch.addcmul(bias, normed, weight)


def to_sequences(features: Tensor) -> Tensor:
    """Read each group of channels along its direction.

    The groups go by rows, by columns, by rows backwards and by columns backwards.

    Args:
        features: Map of all groups, (B, H, W, K * D).

    Returns:
        One sequence for each group, (B, K, L, D).
    """
    groups = features.reshape(*features.shape[:3], GROUPS, -1)
    rows = groups.flatten(1, 2)  # (B, L, K, D)
    columns = groups[..., 1::2, :].transpose(1, 2).flatten(1, 2)  # (B, L, 2, D)
    return torch.stack(
        [rows[:, :, 0], columns[:, :, 0], rows[:, :, 2].flip(1), columns[:, :, 1].flip(1)], dim=1
    )


def from_sequences(sequences: Tensor, height: int, width: int) -> Tensor:
    """Put the sequences of `to_sequences` back onto the map.

    Args:
        sequences: One sequence for each group, (B, K, L, D).
        height: Rows of the map.
        width: Columns of the map.

    Returns:
        One map for each group, (K, B, H, W, D).
    """
    by_row, by_column, by_row_back, by_column_back = sequences.unbind(1)  # (B, L, D)
    rows = (sequences.shape[0], height, width, sequences.shape[3])
    columns = (sequences.shape[0], width, height, sequences.shape[3])
    return torch.stack(
        [
            by_row.view(rows),
            by_column.view(columns).transpose(1, 2),
            by_row_back.flip(1).view(rows),
            by_column_back.flip(1).view(columns).transpose(1, 2),
        ]
    )
