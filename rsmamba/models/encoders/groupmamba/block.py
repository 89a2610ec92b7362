"""The blocks of GroupMamba: the one that stages repeat and the one on the class token.

Source: GroupMamba (arXiv 2407.13772, figure 2) and its released code.
"""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.encoders.groupmamba.mixer import ModulatedGroupMixer
from rsmamba.models.layers.depthwise import DepthwiseConv2d
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.mlp import Mlp
from rsmamba.models.pruning.config import FeedForwardPruning
from rsmamba.models.pruning.feeding import fed_forward
from rsmamba.models.pruning.tokens import KeptTokens
from rsmamba.ops.kept_convolution import kept_convolution, kept_neighbours


class ConvMlp(nn.Module):
    """Two linear layers with a depth-wise convolution and GELU between them.

    Source: PVT v2 (Wang et al. 2022, section 3.3).

    Args:
        dim: Channels in and out.
        hidden: Channels between the layers.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.dwconv = DepthwiseConv2d(hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        return self.fc2(self.act(self.dwconv(self.fc1(features))))

    def at(
        self, tokens: torch.Tensor, kept: KeptTokens, *, height: int, width: int
    ) -> torch.Tensor:
        """Compute some tokens of a map, while the others count as zero for the convolution.

        Args:
            tokens: The tokens, (B, n, dim).
            kept: Their places.
            height: Rows of the map.
            width: Columns of the map.

        Returns:
            The same tokens behind both layers, (B, n, dim).
        """
        kernel = self.dwconv.kernel_size[0]
        convolved = kept_convolution(
            self.fc1(tokens),
            self.dwconv.weight,
            self.dwconv.bias,
            index=kept.index,
            neighbours=kept_neighbours(kept.index, height=height, width=width, kernel=kernel),
            height=height,
            width=width,
        )
        return self.fc2(self.act(convolved))


class Block(nn.Module):
    """Mixer and feed-forward part, each in a residual branch.

    Attributes:
        pruning: Tokens that are fed forward, None for all.

    Args:
        dim: Channels of the map.
        hidden: Hidden channels of the feed-forward part.
        drop_path: Drop rate of both branches.
        norm_eps: Added to the variance by the norm of the feed-forward part.
    """

    def __init__(self, dim: int, *, hidden: int, drop_path: float, norm_eps: float) -> None:
        super().__init__()
        self.mixer = ModulatedGroupMixer(dim)  # normalises what comes in by itself
        self.mlp_norm = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = ConvMlp(dim, hidden)
        self.drop_path = DropPath(drop_path)
        self.pruning: FeedForwardPruning | None = None

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        mixed = self.drop_path(self.mixer(features))
        height, width = features.shape[1:3]

        def at(tokens: torch.Tensor, kept: KeptTokens) -> torch.Tensor:
            normed = self.mlp_norm(tokens)
            return self.drop_path(self.mlp.at(normed, kept, height=height, width=width))

        return fed_forward(
            features + mixed, mixed, pruning=self.pruning, everywhere=self._fed, chosen=at
        )

    def _fed(self, features: torch.Tensor) -> torch.Tensor:
        """Compute the feed-forward branch of a map (B, H, W, C)."""
        return self.drop_path(self.mlp(self.mlp_norm(features)))


class ClassBlock(nn.Module):
    """The block on the class token, which normalises behind the mixer.

    Args:
        dim: Channels of the token.
        hidden: Hidden channels of the feed-forward part.
        norm_eps: Added to the variance by the norms.
    """

    def __init__(self, dim: int, *, hidden: int, norm_eps: float) -> None:
        super().__init__()
        self.mixer = ModulatedGroupMixer(dim)
        self.mixer_norm = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp_norm = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, hidden)

    @override
    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """Map a token (B, 1, 1, C), seen as a map of one pixel, to the same shape."""
        token = token + self.mixer_norm(self.mixer(token))
        return token + self.mlp(self.mlp_norm(token))
