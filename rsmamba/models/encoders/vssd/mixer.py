"""The state-space mixer of VSSD: project, convolve, mix all tokens, normalise, gate.

Source: VSSD (arXiv 2407.18559) and its code (YuHengsss/VSSD, `Mamba2`). Different
here: maps are channels last and the three parts of the projection are computed apart, so that the
convolution reads its part as it lies; sums over tokens, step sizes and the normalisation behind
them run in float32 (or float64). As in all released weights the gate has no activation.
Parameter names are those of the released checkpoints.

Symbols: L = H W tokens, C channels, Di inner channels, P channels of a head, G groups, N states.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.models.encoders.vssd.config import Config
from rsmamba.models.encoders.vssd.rotary import rotate
from rsmamba.models.encoders.vssd.stem import PATCH
from rsmamba.models.layers.depthwise import DepthwiseConv2d
from rsmamba.models.layers.scan_parameters import reset_dt_bias_
from rsmamba.ops.non_causal_ssd import non_causal_ssd
from rsmamba.ops.selective_scan import selective_scan

A_MAX = 16.0  # decay rates start uniformly in [1, A_MAX]
EPSILON = 1e-6  # keeps the normaliser of the ICCV edition away from zero


class Tokens(NamedTuple):
    """What a mixing rule works on, in float32 or float64.

    Attributes:
        x: Values, (batch, L, heads, P).
        dt: Step sizes after the softplus, (batch, L, heads).
        A: Decay rates, positive, (heads,).
        B: Input terms, (batch, L, G, N).
        C: Output terms, (batch, L, G, N).
        D: Skip terms, (heads,).
    """

    x: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor


class SSDMixer(nn.Module):
    """Mix the pixels of a map through one state for each head.

    Args:
        config: Configuration of the network.
        stage: Index of the stage.
    """

    def __init__(self, config: Config, *, stage: int) -> None:
        super().__init__()
        dim, heads = config.dims[stage], config.ssd_heads(stage)
        self.config = config
        self.inner = dim * config.ssd_expansion
        self.groups = config.groups(stage)
        self.reference_tokens = _reference_tokens(config, stage=stage)
        convolved = self.inner + 2 * self.groups * config.states[stage]
        self.in_proj = nn.Linear(dim, self.inner + convolved + heads, bias=False)
        self.conv2d = DepthwiseConv2d(convolved)
        self.dt_bias = nn.Parameter(reset_dt_bias_(torch.empty(heads)))
        self.A_log = nn.Parameter(torch.empty(heads).uniform_(1.0, A_MAX).log_())
        self.D = nn.Parameter(torch.ones(heads))
        self.norm = nn.LayerNorm(self.inner)
        self.out_proj = nn.Linear(self.inner, dim, bias=False)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        height, width = features.shape[1:3]
        ends = [self.inner, self.inner + self.conv2d.out_channels]
        parts = self.in_proj.weight.tensor_split(ends)
        gate, joined, dt = (functional.linear(features, weight) for weight in parts)
        joined = functional.silu(self.conv2d(joined))
        with torch.autocast(features.device.type, enabled=False):
            tokens = self._tokens(joined.flatten(1, 2), dt.flatten(1, 2))
            if self.config.edition == "iccv":
                y = normalised_mix(tokens, height=height, width=width)
            elif self.config.linear_attn_duality:
                y = self._non_causal(tokens)
            else:
                y = causal_mix(tokens, bidirection=self.config.bidirection)
            y = y.reshape(*gate.shape)
            # In float32 as well: the sums over a large tile may not fit into float16.
            scale, shift = self.norm.weight.to(y.dtype), self.norm.bias.to(y.dtype)
            y = functional.layer_norm(y, (self.inner,), scale, shift, self.norm.eps)
        return self.out_proj(y.to(gate.dtype) * gate)

    def _tokens(self, joined: Tensor, dt: Tensor) -> Tokens:
        """Split the convolved channels (batch, L, Di + 2 G N) and finish the step sizes."""
        dtype = torch.float64 if joined.dtype == torch.float64 else torch.float32
        x, terms = joined.to(dtype).tensor_split([self.inner], dim=-1)
        shape = joined.shape[:2]  # (batch, L)
        B, C = terms.view(*shape, 2, self.groups, -1).unbind(dim=2)  # (batch, L, G, N) each
        return Tokens(
            x=x.view(*shape, len(self.D), -1),
            dt=functional.softplus(dt.to(dtype) + self.dt_bias.to(dtype)),
            A=self.A_log.to(dtype).exp(),
            B=B,
            C=C,
            D=self.D.to(dtype),
        )

    def _non_causal(self, tokens: Tokens) -> Tensor:
        """Sum over all tokens, each weighted by its step size and decay rate."""
        weight = tokens.dt * (tokens.A if self.config.ssd_positive_dA else -tokens.A)
        if self.reference_tokens is not None:
            weight = weight * (self.reference_tokens / weight.shape[1])
        return non_causal_ssd(tokens.x, weight, B=tokens.B, C=tokens.C, D=tokens.D)


def normalised_mix(tokens: Tokens, *, height: int, width: int) -> Tensor:
    """Average over all tokens with weights that sum to one, as the ICCV 2025 edition does.

    With positive features q and k of C and B and a softmax over the tokens for their weights m:
    y_l = sum over l' of m_l' (R q_l . R k_l') x_l' / (q_l . sum of m_l' k_l'), R the rotation of
    the pixel. Reconstructed from the published sizes and from forks of the official code.

    Args:
        tokens: What to mix, one group.
        height: Rows of the map.
        width: Columns of the map.

    Returns:
        Mixed tokens, (batch, L, heads, P).
    """
    inner = tokens.x.shape[-2] * tokens.x.shape[-1]
    weight = torch.softmax(tokens.dt * tokens.A, dim=1)
    keys = functional.elu(tokens.B) + 1
    queries = (functional.elu(tokens.C) + 1) / inner
    mean_keys = weight.transpose(1, 2) @ keys.squeeze(2)  # (batch, heads, N)
    total = queries.squeeze(2) @ mean_keys.transpose(1, 2) + EPSILON  # (batch, L, heads)
    y = non_causal_ssd(
        tokens.x,
        weight,
        B=rotate(keys, height=height, width=width),
        C=rotate(queries, height=height, width=width),
    )
    return torch.addcmul(y / total.unsqueeze(-1), tokens.x, tokens.D.unsqueeze(-1))


def causal_mix(tokens: Tokens, *, bidirection: bool) -> Tensor:
    """Scan the tokens in row-major order, as Mamba-2 does (arXiv 2405.21060); for ablations.

    Heads belong to groups in consecutive blocks here, unlike in the non-causal form.

    Args:
        tokens: What to mix.
        bidirection: Whether the second half of the groups, an even number, runs backwards.

    Returns:
        Mixed tokens, (batch, L, heads, P).
    """
    batch, length, heads, width = tokens.x.shape
    groups, states = tokens.B.shape[2:]

    def grouped(of_channels: Tensor) -> Tensor:
        return of_channels.reshape(batch, length, groups, -1).transpose(1, 2)  # (batch, G, L, .)

    def turned(sequences: Tensor) -> Tensor:
        if not bidirection:
            return sequences
        first, second = sequences.chunk(2, dim=1)
        return torch.cat([first, second.flip(2)], dim=1)

    per_channel = (heads, width, states)
    y = selective_scan(
        turned(grouped(tokens.x)),
        turned(grouped(tokens.dt.unsqueeze(-1).expand_as(tokens.x))),
        -tokens.A[:, None, None].expand(per_channel).reshape(groups, -1, states),
        B=turned(tokens.B.transpose(1, 2)),
        C=turned(tokens.C.transpose(1, 2)),
        D=tokens.D[:, None].expand(heads, width).reshape(groups, -1),
        softplus=False,
    )
    return turned(y).transpose(1, 2).reshape(batch, length, heads, width)


def _reference_tokens(config: Config, *, stage: int) -> int | None:
    """Count the tokens that a stage has of the image that sums are scaled to."""
    if config.area_reference is None:
        return None
    stride = PATCH * 2**stage
    return (-(-config.area_reference // stride)) ** 2
