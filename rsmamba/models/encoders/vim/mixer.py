"""The token mixer of ViM: project, convolve causally, scan in both directions, gate.

Source: Vision Mamba (arXiv 2401.09417, algorithm 1) and released code (commit dd0358a). Different
here: what each direction owns is an entry of a list, and nothing is reversed: the convolution and
the scan of the backward direction read the tokens backwards.

Glossary: B batch, L tokens, C model channels, E inner channels, K directions, N state size, R rank
of the step-size projection.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.gaps import Gaps
from rsmamba.models.layers.scan_parameters import reset_A_log_, reset_dt_bias_, reset_dt_weight_
from rsmamba.models.pruning.config import ScoreSource
from rsmamba.ops.gapped_scan import SequenceScan, sequence_scans
from rsmamba.ops.kept_convolution import causal_convolution


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

    def read(self, u: Tensor, *, reverse: bool) -> tuple[Tensor, Tensor]:
        """Compute what a scan reads of a sequence u (B, L, E), in the order of u.

        Args:
            u: The projected tokens.
            reverse: Whether the convolution runs backwards.

        Returns:
            Input x (B, L, E), and step size, B and C together (B, L, R + 2N).
        """
        x = causal_convolution(u, self.conv1d.weight, self.conv1d.bias, reverse=reverse)
        x = functional.silu(x)
        return x, self.x_proj(x)


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
        owners = self._owners()
        read = [owner.read(u, reverse=number == 1) for number, owner in enumerate(owners)]
        # With one owner, as in "v1", both scans read the same.
        scans = [
            self.sequence_scan(number, *read[min(number, len(read) - 1)])
            for number in range(len(self.directions))
        ]
        before = None if gaps is None else gaps.before[:, : len(scans)]
        alignment = "none" if gaps is None else gaps.alignment
        outputs = sequence_scans(scans, gaps=before, alignment=alignment)
        return Scanned(outputs[0], outputs[1] if len(scans) > 1 else None, z)

    def sequence_scan(self, number: int, x: Tensor, projections: Tensor) -> SequenceScan:
        """Say what one scan reads.

        Args:
            number: 0 for the scan forwards, 1 for that backwards.
            x: Its input, (B, L, E).
            projections: Its step size, B and C, (B, L, R + 2N).

        Returns:
            The scan.
        """
        direction = self.directions[number]
        owner = direction if isinstance(direction, Direction) else self._owners()[0]
        decay = direction.get_parameter("A_log")
        wide = decay if decay.dtype == torch.float64 else decay.float()
        return SequenceScan(
            x,
            projections,
            dt_weight=owner.dt_proj.weight,
            dt_bias=owner.dt_proj.bias,
            A=-torch.exp(wide),
            D=owner.D,
            reverse=number == 1,
        )

    def project(self, scanned: Scanned) -> Tensor:
        """Gate what the scans put out and project it back, (B, L, C)."""
        mixed = self.out_proj(scanned.total() * functional.silu(scanned.z) / self.divisor)
        return mixed if self.gamma is None else mixed * self.gamma
