"""The token mixer of PlainMamba: project, convolve, scan in four directions, gate.

Source: PlainMamba (arXiv 2403.17695, section 3.2 and 3.3) and released code (commit 0975a1d).
Parameter names are those of the released checkpoints. Different here: the four scans are one call,
which visits the tokens in place.

Two properties of the released code are part of its weights and are kept:
* the bias of the step size is added twice, softplus(W r + 2 b);
* step k of every scan reads the step size, B and C of raster token k, whichever token it visits
  (``permute_selective=True`` gives every token its own; such a network has to be trained).

Glossary: B batch, L tokens, h x w their grid, C model channels, E inner channels, K = 4 scans,
N state size, R rank of the step-size projection.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.plainmamba.config import Config
from rsmamba.models.encoders.plainmamba.kept import KeptGrid
from rsmamba.models.encoders.plainmamba.snake import NUM_MOVES, SnakeGrid
from rsmamba.models.layers.depthwise import DepthwiseConv2d
from rsmamba.models.layers.scan_parameters import reset_A_log_
from rsmamba.ops.gapped_scan import token_scan
from rsmamba.ops.kept_convolution import kept_convolution
from rsmamba.ops.scan_paths import NUM_PATHS
from rsmamba.ops.ss2d import ss2d_scan

DIRECTIONS = NUM_PATHS["snake"]


class Scanned(NamedTuple):
    """What the scans put out.

    Attributes:
        y: Sum over the scans, (B, L, E).
        z: What opens the gate, (B, L, E).
    """

    y: Tensor
    z: Tensor

    def gated(self) -> Tensor:
        """Return what passes the gate, (B, L, E)."""
        return self.y * functional.silu(self.z)


class PlainMamba2D(nn.Module):
    """Mix the tokens of a grid by selective scans along four continuous paths.

    Args:
        config: Size and choices of the network.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, inner = config.embed_dims, config.inner
        self.d_state = config.d_state
        self.dt_rank = config.rank
        self.permute_selective = config.permute_selective
        self.in_proj = nn.Linear(dim, 2 * inner, bias=config.bias)
        self.conv2d = DepthwiseConv2d(inner, kernel=config.conv_size, bias=config.conv_bias)
        self.x_proj = nn.Linear(inner, config.rank + 2 * config.d_state, bias=False)
        self.dt_proj = nn.Linear(config.rank, inner)
        self.A_log = nn.Parameter(reset_A_log_(torch.empty(inner, config.d_state)))
        self.D = nn.Parameter(torch.ones(inner))
        self.direction_Bs = nn.Parameter(torch.empty(NUM_MOVES, config.d_state))
        nn.init.trunc_normal_(self.direction_Bs, std=0.02)
        self.out_proj = nn.Linear(inner, dim, bias=config.bias)
        scale = config.init_layer_scale
        self.gamma = None if scale is None else nn.Parameter(torch.full((dim,), float(scale)))

    @override
    def forward(self, tokens: Tensor, grid: SnakeGrid | KeptGrid) -> Tensor:
        """Map tokens (B, L, C) in raster order to the same shape."""
        return self.project(self.scan(tokens, grid))

    def scan(self, tokens: Tensor, grid: SnakeGrid | KeptGrid) -> Scanned:
        """Project, convolve and scan tokens (B, L, C) in raster order, all or those kept."""
        u, z = self.in_proj(tokens).chunk(2, dim=-1)
        u = functional.silu(self._convolved(u, grid))
        projections = self._projections(self.x_proj(u), grid)
        inner, states = self.A_log.shape
        parameters: dict[str, Any] = {
            "dt_weight": self.dt_proj.weight.expand(DIRECTIONS, inner, self.dt_rank),
            "dt_bias": (2 * self.dt_proj.bias).expand(DIRECTIONS, inner),
            "A": self._decay().expand(DIRECTIONS, inner, states),
            "D": self.D.expand(DIRECTIONS, inner),
        }
        if isinstance(grid, KeptGrid):
            y = token_scan(
                u,
                projections,
                **parameters,
                order=grid.order,
                gaps=grid.gaps,
                alignment=grid.alignment,
            )
        else:
            cells = grid.to_map(u), grid.to_map(projections)
            y = grid.from_map(ss2d_scan(*cells, **parameters, paths="snake"))
        return Scanned(y, z)

    def project(self, scanned: Scanned) -> Tensor:
        """Gate what the scans put out and project it back, (B, L, C)."""
        mixed = self.out_proj(scanned.gated())
        return mixed if self.gamma is None else mixed * self.gamma

    def _convolved(self, u: Tensor, grid: SnakeGrid | KeptGrid) -> Tensor:
        """Convolve tokens (B, L, E); those that were dropped count as zero."""
        if not isinstance(grid, KeptGrid):
            return grid.from_map(self.conv2d(grid.to_map(u)))
        return kept_convolution(
            u,
            self.conv2d.weight,
            self.conv2d.bias,
            index=grid.tokens.index,
            neighbours=grid.neighbours,
            height=grid.height,
            width=grid.width,
        )

    def _projections(self, projected: Tensor, grid: SnakeGrid | KeptGrid) -> Tensor:
        """Give each token what its step of each scan uses, (B, L, 4, R + 2N).

        Args:
            projected: Step size, B and C of each token in raster order, (B, L, R + 2N).
            grid: The grid of the tokens.

        Returns:
            Those values, with the term of the direction added to B.
        """
        if self.permute_selective:
            paired = projected.unsqueeze(2).expand(-1, -1, DIRECTIONS, -1)  # (B, L, 4, R + 2N)
        else:
            # The step at which a token is visited is the raster token whose values it gets.
            paired = grid.by_step(projected)
        moves = grid.moves if isinstance(grid, KeptGrid) else grid.moves.t()
        terms = functional.pad(self.direction_Bs, (self.dt_rank, self.d_state))  # (5, R + 2N)
        return paired + terms[moves]

    def _decay(self) -> Tensor:
        """Compute A, (E, N), in float32 or wider."""
        return -torch.exp(self.A_log.to(torch.promote_types(self.A_log.dtype, torch.float32)))
