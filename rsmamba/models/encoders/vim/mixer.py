"""The token mixer of ViM: project, convolve causally, scan in both directions, gate.

Source: Vision Mamba (arXiv 2401.09417, algorithm 1) and released code (commit dd0358a). Different
here: what each direction owns is an entry of a list, and both scans are one call.

Glossary: B batch, L tokens, C model channels, E inner channels, K directions, N state size, R rank
of the step-size projection.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.gaps import Gaps
from rsmamba.models.layers.scan_parameters import reset_A_log_, reset_dt_bias_, reset_dt_weight_
from rsmamba.models.pruning.config import ScoreSource
from rsmamba.ops.gapped_scan import gapped_scan
from rsmamba.ops.kept_convolution import causal_convolution
from rsmamba.ops.selective_scan import selective_scan


class ScanTerms(NamedTuple):
    """What a scan reads of each token, in the order of the scan.

    Attributes:
        x: Input, (B, L, E).
        dt: Step size before bias and softplus, (B, L, E).
        B: Input term, (B, L, N).
        C: Output term, (B, L, N).
    """

    x: Tensor
    dt: Tensor
    B: Tensor
    C: Tensor


class Scanned(NamedTuple):
    """What the scans put out, in the order of the tokens.

    Attributes:
        forwards: Of the scan forwards, (B, L, E).
        backwards: Of the scan backwards, or None if there is none.
        z: What opens the gate, (B, L, E).
    """

    forwards: Tensor
    backwards: Tensor | None
    z: Tensor

    def total(self) -> Tensor:
        """Add both scans up, (B, L, E)."""
        return self.forwards if self.backwards is None else self.forwards + self.backwards

    def of(self, source: ScoreSource) -> Tensor:
        """Return what one scan or all of them put out, (B, L, E)."""
        if source == "bwd" and self.backwards is not None:
            return self.backwards
        return self.forwards if source == "fwd" else self.total()


class Direction(nn.Module):
    """Parameters of one direction: convolution, projections, decay and skip.

    Args:
        config: Size and choices of the network.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        inner = config.inner
        self.sizes = [config.rank, config.d_state, config.d_state]
        self.conv1d = nn.Conv1d(
            inner, inner, kernel_size=config.d_conv, groups=inner, bias=config.conv_bias
        )
        self.x_proj = nn.Linear(inner, sum(self.sizes), bias=False)
        self.dt_proj = nn.Linear(config.rank, inner)
        self.A_log = nn.Parameter(reset_A_log_(torch.empty(inner, config.d_state)))
        self.D = nn.Parameter(torch.ones(inner))
        reset_dt_weight_(self.dt_proj.weight)

    @override
    def forward(self, u: Tensor) -> ScanTerms:
        """Compute the terms of a sequence u (B, L, E) in the order of the scan."""
        x = functional.silu(causal_convolution(u, self.conv1d.weight, self.conv1d.bias))
        low_rank, B, C = torch.split(self.x_proj(x), self.sizes, dim=-1)
        return ScanTerms(x, functional.linear(low_rank, self.dt_proj.weight), B, C)


class Decay(nn.Module):
    """All that the backward direction of "v1" owns.

    Args:
        config: Size and choices of the network.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.A_log = nn.Parameter(reset_A_log_(torch.empty(config.inner, config.d_state)))


class BidirectionalMamba(nn.Module):
    """Mix a sequence by selective scans forwards and backwards.

    Attributes:
        directions: What each scan owns, forwards first.

    Args:
        config: Size and choices of the network.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim = config.embed_dim
        self.in_proj = nn.Linear(dim, 2 * config.inner, bias=config.bias)
        self.directions = nn.ModuleList([Direction(config)])
        if config.bimamba_type != "none":
            own = Direction if config.bimamba_type == "v2" else Decay
            self.directions.append(own(config))
        self.out_proj = nn.Linear(config.inner, dim, bias=config.bias)
        self.divisor = 2 if config.bimamba_type == "v2" and config.if_divide_out else 1
        scale = config.init_layer_scale
        self.gamma = None if scale is None else nn.Parameter(torch.full((dim,), float(scale)))
        self._initialise(config.depth)

    @torch.no_grad()
    def _initialise(self, depth: int) -> None:
        """Start as the released code does, where only the forward step sizes keep Mamba's bias."""
        for linear in (self.in_proj, self.out_proj):
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)
        for direction in self._owners():
            nn.init.zeros_(direction.dt_proj.bias)
        reset_dt_bias_(self._owners()[0].dt_proj.bias)
        nn.init.kaiming_uniform_(self.out_proj.weight, a=math.sqrt(5))
        self.out_proj.weight /= math.sqrt(depth)

    def _owners(self) -> list[Direction]:
        """List the directions that own more than their decay."""
        return [direction for direction in self.directions if isinstance(direction, Direction)]

    @override
    def forward(self, tokens: Tensor, gaps: Gaps | None = None) -> Tensor:
        """Map tokens (B, L, C) to the same shape; `gaps` say what was dropped between them."""
        return self.project(self.scan(tokens, gaps))

    def scan(self, tokens: Tensor, gaps: Gaps | None = None) -> Scanned:
        """Project, convolve and scan tokens (B, L, C)."""
        u, z = self.in_proj(tokens).chunk(2, dim=-1)
        y = self._scan(self._terms(u), gaps)  # (B, K, L, E)
        forwards, backwards = y[:, 0], None if y.shape[1] == 1 else y[:, 1].flip(1)
        return Scanned(forwards, backwards, z)

    def project(self, scanned: Scanned) -> Tensor:
        """Gate what the scans put out and project it back, (B, L, C)."""
        mixed = self.out_proj(scanned.total() * functional.silu(scanned.z) / self.divisor)
        return mixed if self.gamma is None else mixed * self.gamma

    def _terms(self, u: Tensor) -> ScanTerms:
        """Compute the terms of every direction, each (B, K, L, ...), in its own order."""
        owners = self._owners()
        terms = [owners[0](u)]
        if len(owners) == 2:
            terms.append(owners[1](u.flip(1)))
        elif len(self.directions) == 2:
            terms.append(ScanTerms(*(term.flip(1) for term in terms[0])))
        return ScanTerms(*(torch.stack(parts, dim=1) for parts in zip(*terms, strict=True)))

    def _scan(self, terms: ScanTerms, gaps: Gaps | None) -> Tensor:
        """Scan all directions at once, (B, K, L, E)."""
        owners = self._owners()
        # "v1" shares all but the decay.
        sharing = owners * (len(self.directions) // len(owners))
        decay = torch.stack([direction.get_parameter("A_log") for direction in self.directions])
        parameters: dict[str, Any] = {
            "A": -torch.exp(decay.to(torch.promote_types(decay.dtype, torch.float32))),
            "D": torch.stack([direction.D for direction in sharing]),
            "dt_bias": torch.stack([direction.dt_proj.bias for direction in sharing]),
        }
        if gaps is None:
            return selective_scan(**terms._asdict(), **parameters)
        before = torch.stack([gaps.forwards, gaps.backwards][: terms.x.shape[1]], dim=1)
        return gapped_scan(**terms._asdict(), **parameters, gaps=before, alignment=gaps.alignment)
