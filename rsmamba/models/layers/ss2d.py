"""The state-space token mixer of VMamba: project, convolve, scan along several paths, gate.

Source: VMamba (Liu et al. 2024, section 4.2 and released code, "v0" form with gate). CVMH-UNet
(arXiv 2410.05624, section III-B) uses the same mixer with other scan paths, which is why the paths
are an argument here. Parameter names are those of the released checkpoints.

Glossary: B batch, H height, W width, C model channels, D inner channels (ssm_ratio C),
K paths, N state size, R rank of the step-size projection, L = H W.
"""

import math

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.layers.scan_parameters import reset_A_log_, reset_dt_bias_, reset_dt_weight_
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.scan_paths import NUM_PATHS, ScanPaths
from rsmamba.ops.ss2d import ss2d_scan


class SS2D(nn.Module):
    """Mix the pixels of a feature map by selective scans along K paths.

    Args:
        dim: Channels C of the map.
        d_state: State size N.
        ssm_ratio: Inner channels D as a multiple of C.
        dt_rank: Rank R; None means ceil(C / 16).
        paths: The set of scan paths.
        backend: Kernel backend of the scan; "auto" chooses.

    Raises:
        OptionError: If a size is below 1.
    """

    def __init__(
        self,
        dim: int,
        *,
        d_state: int = 16,
        ssm_ratio: float = 2.0,
        dt_rank: int | None = None,
        paths: ScanPaths = "cross",
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        inner = int(ssm_ratio * dim)
        rank = math.ceil(dim / 16) if dt_rank is None else dt_rank
        if min(dim, inner, rank, d_state) < 1:
            message = f"dim {dim}, inner {inner}, dt_rank {rank}, d_state {d_state}: give 1 or more"
            raise OptionError(message)
        self.paths: ScanPaths = paths
        self.backend = backend
        self.d_state = d_state
        self.dt_rank = rank
        directions = NUM_PATHS[paths]
        self.in_proj = nn.Linear(dim, 2 * inner, bias=False)
        self.conv2d = nn.Conv2d(inner, inner, kernel_size=3, padding=1, groups=inner)
        self.x_proj_weight = nn.Parameter(torch.empty(directions, rank + 2 * d_state, inner))
        self.dt_projs_weight = nn.Parameter(torch.empty(directions, inner, rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(directions, inner))
        self.A_logs = nn.Parameter(torch.empty(directions * inner, d_state))
        self.Ds = nn.Parameter(torch.ones(directions * inner))
        self.out_norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, dim, bias=False)
        self._reset_scan_parameters()

    @torch.no_grad()
    def _reset_scan_parameters(self) -> None:
        """Start A, the step size and its projection as Mamba does (arXiv 2312.00752, 3.6)."""
        for weight in self.x_proj_weight:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        reset_dt_weight_(self.dt_projs_weight)
        reset_dt_bias_(self.dt_projs_bias)
        reset_A_log_(self.A_logs)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        directions, projected, inner = self.x_proj_weight.shape
        x, gate = self.in_proj(features).chunk(2, dim=-1)
        x = functional.silu(self.conv2d(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)  # (B, H, W, D)
        weight = self.x_proj_weight.view(directions * projected, inner)
        projections = functional.linear(x, weight)
        projections = projections.view(*x.shape[:3], directions, projected)
        y = ss2d_scan(
            x,
            projections,
            dt_weight=self.dt_projs_weight,
            dt_bias=self.dt_projs_bias,
            A=-torch.exp(self.A_logs.float()).view(directions, inner, self.d_state),
            D=self.Ds.view(directions, inner),
            paths=self.paths,
            backend=self.backend,
        )
        return self.out_proj(self.out_norm(y) * functional.silu(gate))
