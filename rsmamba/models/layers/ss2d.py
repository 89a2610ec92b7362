"""The state-space token mixer of VMamba: project, convolve, scan along several paths, gate.

Source: VMamba (Liu et al. 2024, section 4.2) and its released code, MzeroMiko/VMamba at 2ed52ea.
One class serves every released form: the first release ("v0") has a gate and a bias in the
convolution, the second ("v05_noz") neither; ``SS2DForm`` says which parts there are. CVMH-UNet
(arXiv 2410.05624, section III-B) uses the first with other scan paths, which is why the paths are
an argument. Different here: maps stay channels last, and the pointwise projections of the scan are
made once a pixel instead of once a path. Parameter names are those of the released checkpoints.

Glossary: B batch, H height, W width, C model channels, D inner channels (ssm_ratio C),
K paths, N state size, R rank of the step-size projection, L = H W.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.layers.activation import Activation, make_activation
from rsmamba.models.layers.depthwise import DepthwiseConv2d
from rsmamba.models.layers.scan_parameters import reset_A_log_, reset_dt_bias_, reset_dt_weight_
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.scan_paths import NUM_PATHS, ScanPaths
from rsmamba.ops.ss2d import ss2d_scan

Gate = Literal["activated", "linear", "none"]
OutNorm = Literal["layer", "none", "depthwise", "layer_depthwise", "softmax", "sigmoid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SS2DForm:
    """Which parts the mixer has around its scan; the defaults are VMamba's first release.

    Attributes:
        gate: Whether the result is multiplied by a second projection of the input, and whether
            that goes through the activation.
        activation: Nonlinearity behind the convolution and in the gate.
        conv: Side of the depth-wise convolution, odd; 0 or 1 leaves it out.
        conv_bias: Whether the convolution has a bias.
        out_norm: What stands behind the scan: LayerNorm, nothing, a depth-wise 3x3 convolution,
            LayerNorm and that convolution, a softmax over the positions, or a sigmoid.
        out_activation: GELU behind that.
    """

    gate: Gate = "activated"
    activation: Activation = "silu"
    conv: int = 3
    conv_bias: bool = True
    out_norm: OutNorm = "layer"
    out_activation: bool = False


class SS2D(nn.Module):
    """Mix the pixels of a feature map by selective scans along K paths.

    Args:
        dim: Channels C of the map.
        d_state: State size N.
        ssm_ratio: Inner channels D as a multiple of C.
        dt_rank: Rank R; None means ceil(C / 16).
        paths: The set of scan paths.
        form: Parts around the scan; None means those of VMamba's first release.
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
        form: SS2DForm | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        form = SS2DForm() if form is None else form
        inner = int(ssm_ratio * dim)
        rank = math.ceil(dim / 16) if dt_rank is None else dt_rank
        if min(dim, inner, rank, d_state) < 1:
            message = f"dim {dim}, inner {inner}, dt_rank {rank}, d_state {d_state}: give 1 or more"
            raise OptionError(message)
        self.paths: ScanPaths = paths
        self.backend = backend
        self.d_state = d_state
        self.dt_rank = rank
        self.gate: Gate = form.gate
        self.in_proj = nn.Linear(dim, inner if form.gate == "none" else 2 * inner, bias=False)
        self.conv2d = (
            DepthwiseConv2d(inner, kernel=form.conv, bias=form.conv_bias)
            if form.conv > 1
            else nn.Identity()
        )
        self.act = make_activation(form.activation)
        self._add_scan_parameters(inner)
        self.out_norm = _out_norm(form.out_norm, inner)
        self.out_act = nn.GELU() if form.out_activation else nn.Identity()
        self.out_proj = nn.Linear(inner, dim, bias=False)

    @torch.no_grad()
    def _add_scan_parameters(self, inner: int) -> None:
        """Start A, the step size and its projection as Mamba does (arXiv 2312.00752, 3.6)."""
        directions, rank, states = NUM_PATHS[self.paths], self.dt_rank, self.d_state
        self.x_proj_weight = nn.Parameter(torch.empty(directions, rank + 2 * states, inner))
        self.dt_projs_weight = nn.Parameter(torch.empty(directions, inner, rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(directions, inner))
        self.A_logs = nn.Parameter(torch.empty(directions * inner, states))
        self.Ds = nn.Parameter(torch.ones(directions * inner))
        for weight in self.x_proj_weight:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        reset_dt_weight_(self.dt_projs_weight)
        reset_dt_bias_(self.dt_projs_bias)
        reset_A_log_(self.A_logs)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        x = self.in_proj(features)
        gate = None
        if self.gate != "none":
            x, gate = x.chunk(2, dim=-1)  # (B, H, W, D) each
        y = self.out_act(self.out_norm(self._scan(self.act(self.conv2d(x)))))
        if gate is not None:
            y = y * (self.act(gate) if self.gate == "activated" else gate)
        return self.out_proj(y)

    def _scan(self, x: torch.Tensor) -> torch.Tensor:
        """Scan a map (B, H, W, D) along all paths and sum the results."""
        directions, projected, inner = self.x_proj_weight.shape
        weight = self.x_proj_weight.view(directions * projected, inner)
        projections = functional.linear(x, weight)
        # The decay rates are made in float32 at least, whatever the network computes in.
        wide = torch.promote_types(self.A_logs.dtype, torch.float32)
        return ss2d_scan(
            x,
            projections.view(*x.shape[:3], directions, projected),
            dt_weight=self.dt_projs_weight,
            dt_bias=self.dt_projs_bias,
            A=-torch.exp(self.A_logs.to(wide)).view(directions, inner, self.d_state),
            D=self.Ds.view(directions, inner),
            paths=self.paths,
            backend=self.backend,
        )


class PositionSoftmax(nn.Module):
    """Softmax over the positions of a map, for each channel."""

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        return features.flatten(1, 2).softmax(dim=1).view_as(features)


def _out_norm(kind: OutNorm, dim: int) -> nn.Module:
    makers: dict[OutNorm, Callable[[], nn.Module]] = {
        "layer": lambda: nn.LayerNorm(dim),
        "none": nn.Identity,
        "depthwise": lambda: DepthwiseConv2d(dim, bias=False),
        "layer_depthwise": lambda: nn.Sequential(
            nn.LayerNorm(dim), DepthwiseConv2d(dim, bias=False)
        ),
        "softmax": PositionSoftmax,
        "sigmoid": nn.Sigmoid,
    }
    return makers[kind]()
