"""The residual block around the state-space mixer of VMamba."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.norm import Norm, fine_norm
from rsmamba.models.pruning.config import FeedForwardPruning
from rsmamba.models.pruning.feeding import fed_forward


class VSSBlock(nn.Module):
    """Pre-normalised residual branches: x + mixer(norm(x)), then x + feed_forward(norm(x)).

    Source: VMamba (Liu et al. 2024, figure 3 and released code); its first release and VM-UNet
    (Ruan and Xiang 2024, section 3.2) have the first branch alone.

    Attributes:
        pruning: Tokens that are fed forward, None for all; only where both branches are there.

    Args:
        dim: Channels of the map.
        mixer: Maps (B, H, W, C) to the same shape; None leaves the branch out.
        feed_forward: Maps (..., C) to the same shape; None leaves the branch out.
        norm: Makes the norm of a branch.
        drop_path: Probability that a branch is dropped while training.
    """

    def __init__(
        self,
        dim: int,
        *,
        mixer: nn.Module | None,
        feed_forward: nn.Module | None = None,
        norm: Norm = fine_norm,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm = None if mixer is None else norm(dim)
        self.op = mixer
        self.norm2 = None if feed_forward is None else norm(dim)
        self.mlp = feed_forward
        self.drop_path = DropPath(drop_path)
        if feed_forward is not None and mixer is not None:
            self.pruning: FeedForwardPruning | None = None

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        if self.op is None or self.norm is None:
            return features + self._fed(features)
        mixed = self.drop_path(self.op(self.norm(features)))
        features = features + mixed
        if self.mlp is None:
            return features
        return fed_forward(features, mixed, pruning=self.pruning, everywhere=self._fed)

    def _fed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Compute the feed-forward branch of tokens (..., C)."""
        if self.mlp is None or self.norm2 is None:
            return torch.zeros_like(tokens)
        return self.drop_path(self.mlp(self.norm2(tokens)))
