"""What PlainMamba's continuous scans need to know of the tokens that are left of a grid.

Source: section 4 of the alignment of arXiv 2409.18962 for gaps; it says nothing of PlainMamba's
convolution and moves. Here an absent token is zero for the convolution, and a token keeps the move
that led into it in the full grid. Everything is made once for each pruning step and used by all
blocks up to the next.

Symbols: B batch, n kept tokens of each image, h x w the grid, L = h w, K = 4 scans.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rsmamba.models.encoders.plainmamba.snake import SnakeGrid
from rsmamba.models.pruning.tokens import KeptTokens, gaps_between, kept_tokens
from rsmamba.ops.gapped_scan import Alignment
from rsmamba.ops.kept_convolution import kept_neighbours


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGrid:
    """Kept tokens of a grid and their four scans.

    Attributes:
        height: Rows of the grid.
        width: Columns of the grid.
        tokens: The kept tokens.
        order: Number of the kept token at each step of each scan, int32 (B, 4, n).
        gaps: Dropped tokens before each step of each scan, float32 (B, 4, n).
        steps: Step at which each scan visits each kept token, among the tokens of all images,
            (B * n * 4,), tokens before scans.
        moves: Number of the move that leads each scan into each kept token, (B, n, 4).
        neighbours: Kept token under each weight of the mixer's convolution, or -1, (B, n, k * k).
        alignment: What dropped tokens do to the states.
    """

    height: int
    width: int
    tokens: KeptTokens
    order: Tensor
    gaps: Tensor
    steps: Tensor
    moves: Tensor
    neighbours: Tensor
    alignment: Alignment

    def to_map(self, tokens: Tensor) -> Tensor:
        """Lay tokens (B, n, E) onto a map of zeros, (B, h, w, E)."""
        return self.tokens.among_zeros(tokens).view(len(tokens), self.height, self.width, -1)

    def from_map(self, features: Tensor) -> Tensor:
        """Take the kept tokens (B, n, E) out of a map (B, h, w, E)."""
        return self.tokens.of(features.flatten(1, 2))

    def by_step(self, raster: Tensor) -> Tensor:
        """Give each token what the raster holds at its step of each scan.

        Args:
            raster: Values of the kept tokens in raster order, (B, n, M).

        Returns:
            The values of kept token number k for the token at step k, (B, n, 4, M).
        """
        batch, count, features = raster.shape
        return raster.flatten(0, 1).index_select(0, self.steps).view(batch, count, -1, features)


def keep_of_grid(
    grid: SnakeGrid, kept: KeptTokens, *, kernel: int, alignment: Alignment
) -> KeptGrid:
    """Make the tables of the tokens that are left of a grid.

    Args:
        grid: The full grid.
        kept: The kept tokens.
        kernel: Side of the kernel of the mixer's convolution.
        alignment: What dropped tokens do to the states.

    Returns:
        The tables.
    """
    places = grid.inverse[:, kept.index].transpose(0, 1)  # (B, 4, n)
    sorted_places, order = torch.sort(places, dim=-1)
    steps = torch.argsort(order, dim=-1).transpose(1, 2)  # (B, n, 4)
    rows = kept_tokens(steps.flatten(1), length=kept.index.shape[1]).rows
    sides = {"height": grid.height, "width": grid.width}
    return KeptGrid(
        **sides,
        tokens=kept,
        order=order.to(torch.int32).contiguous(),
        gaps=gaps_between(sorted_places),
        steps=rows,
        moves=grid.moves[:, kept.index].permute(1, 2, 0).contiguous(),
        neighbours=kept_neighbours(kept.index, kernel=kernel, **sides),
        alignment=alignment,
    )
