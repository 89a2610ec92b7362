"""What PlainMamba's continuous scans need to know of a grid of tokens.

Source: PlainMamba (arXiv 2403.17695, section 3.3) and released code. The four scans visit
neighbours only: rows in alternating directions, the reverse of that, columns likewise, and the
reverse of that. The tables are a few vector operations, made once for each forward and passed to
every block; they are made with torch, so that they follow the sizes of a traced image too.

Symbols: h rows, w columns, L = h w, K = 4 scans.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

NUM_MOVES = 5
# The move that led into a token, as the rows of `direction_Bs` are numbered.
_FIRST, _RIGHT, _LEFT, _UP, _DOWN = range(NUM_MOVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnakeGrid:
    """A grid of tokens and its four scans.

    Attributes:
        height: Rows of the grid.
        width: Columns of the grid.
        order: Raster index of the token at each step of each scan, (4, L).
        inverse: Step at which each scan visits each raster token, (4, L).
        moves: Number of the move that leads each scan into each raster token, (4, L).
    """

    height: int
    width: int
    order: Tensor
    inverse: Tensor
    moves: Tensor

    def to_map(self, tokens: Tensor) -> Tensor:
        """Lay what tokens have, (B, L, ...), onto the map, (B, h, w, ...)."""
        return tokens.view(len(tokens), self.height, self.width, *tokens.shape[2:])

    def from_map(self, features: Tensor) -> Tensor:
        """Take the tokens (B, L, E) out of a map (B, h, w, E)."""
        return features.flatten(1, 2)

    def by_step(self, raster: Tensor) -> Tensor:
        """Give each token what the raster holds at its step of each scan.

        Args:
            raster: Values in raster order, (B, L, M).

        Returns:
            The values of raster token k for the token at step k, (B, L, 4, M).
        """
        batch, _, features = raster.shape
        steps = self.inverse.t().flatten()
        return raster.index_select(1, steps).view(batch, -1, len(self.inverse), features)


def snake_grid(height: int, width: int, *, device: torch.device) -> SnakeGrid:
    """Make the tables of a grid.

    Args:
        height: Rows of the grid, at least 1.
        width: Columns of the grid, at least 1.
        device: Where the tables are wanted.

    Returns:
        The tables.

    Example:
        >>> snake_grid(2, 3, device=torch.device("cpu")).order[0].tolist()
        [0, 1, 2, 5, 4, 3]
    """
    raster = torch.arange(height * width, device=device).view(height, width)
    rows = _alternating(raster)
    cols = _alternating(raster.t())
    order = torch.stack([rows, rows.flip(0), cols, cols.flip(0)])
    inverse = torch.argsort(order, dim=1)
    moves = _moves(order, width).gather(1, inverse)
    return SnakeGrid(height=height, width=width, order=order, inverse=inverse, moves=moves)


def _alternating(lines: Tensor) -> Tensor:
    """Join lines (lines, length) into one sequence, every second one read backwards."""
    backwards = torch.arange(lines.shape[0], device=lines.device).remainder(2).bool()
    return torch.where(backwards.unsqueeze(1), lines.flip(1), lines).flatten()


def _moves(order: Tensor, width: int) -> Tensor:
    """Number the move into each step of each scan, (4, L)."""
    row, col = order // width, order % width
    right, down = col.diff(dim=1), row.diff(dim=1)
    moves = torch.where(right > 0, _RIGHT, _LEFT)
    moves = torch.where(right == 0, torch.where(down > 0, _DOWN, _UP), moves)
    return torch.cat([torch.full_like(order[:, :1], _FIRST), moves], dim=1)
