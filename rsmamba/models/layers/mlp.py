"""The two-layer network that most blocks put behind their token mixer."""

import torch
from torch import nn
from typing_extensions import override


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
        return self.fc2(self.act(self.fc1(features)))
