"""The two-layer networks that most blocks put behind their token mixer."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.ops.linear import linear_gelu


class Mlp(nn.Module):
    """Two linear layers with a nonlinearity between them, on the last axis.

    Source: Vaswani et al. 2017, section 3.3, with the exact (erf) GELU of Vision Transformers.
    Parameter names are those of most released checkpoints.

    Args:
        dim: Channels in.
        hidden: Channels between the layers.
        out: Channels out; None means as many as in.
        activation: Nonlinearity between the layers; None means GELU.
    """

    def __init__(
        self, dim: int, hidden: int, *, out: int | None = None, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU() if activation is None else activation
        self.fc2 = nn.Linear(hidden, dim if out is None else out)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (..., dim) to (..., out)."""
        if type(self.act) is nn.GELU:
            return self.fc2(linear_gelu(features, self.fc1.weight, self.fc1.bias))
        return self.fc2(self.act(self.fc1(features)))


class GatedMlp(nn.Module):
    """Two linear layers; half of what lies between them is the other half's gate.

    Source: Dauphin et al. 2017 (gated linear units), as VMamba's code has it ("gmlp").

    Args:
        dim: Channels in and out.
        hidden: Channels of each half between the layers.
        activation: Nonlinearity of the gate; None means GELU.
    """

    def __init__(self, dim: int, hidden: int, *, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 2 * hidden)
        self.act = nn.GELU() if activation is None else activation
        self.fc2 = nn.Linear(hidden, dim)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (..., dim) to the same shape."""
        content, gate = self.fc1(features).chunk(2, dim=-1)
        return self.fc2(content * self.act(gate))
