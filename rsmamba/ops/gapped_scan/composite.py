"""Scans with gaps by way of the ordinary selective scan: the specification, and for training.

With the whole step e = dt + s as the step size of an ordinary scan and x dt / e as its input, the
decay uses e while the input is still scaled by dt. dt is a softplus, so that the quotient is at
most 1.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.ops.dispatch import Backend, computing_dtype
from rsmamba.ops.selective_scan import selective_scan

Alignment = Literal["none", "zero_input", "prev_delta", "next_delta"]
"""What s_t is for g dropped tokens before token t: "none" is 0, as if there had been none;
"zero_input" is g softplus(bias), the step sizes of tokens that are zero; "prev_delta" is g times
the step size of the kept token before, "next_delta" of token t itself."""


def gapped_scan_composite(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    *,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    dt_bias: Tensor,
    gaps: Tensor | None,
    alignment: Alignment,
    backend: Backend = "auto",
) -> Tensor:
    """Run the selective scan over sequences with gaps.

    Args:
        x: Inputs, (batch, K, L, D).
        dt: Step sizes before bias and softplus, (batch, K, L, D).
        A: State decay rates, negative, (K, D, N).
        B: Input terms, (batch, K, L, N).
        C: Output terms, (batch, K, L, N).
        D: Skip terms, (K, D).
        dt_bias: Added to `dt` before the softplus, (K, D).
        gaps: Dropped tokens before each one, 0 before the first, (batch, K, L); None for none.
        alignment: What the gaps do.
        backend: Backend of the selective scan.

    Returns:
        Outputs with shape and dtype of `x`, (batch, K, L, D).
    """
    if gaps is None or alignment == "none":
        return selective_scan(x, dt, A, B=B, C=C, D=D, dt_bias=dt_bias, backend=backend)
    dtype = computing_dtype(x)
    inputs, bias = x.to(dtype), dt_bias.to(dtype)
    # Exact in float64 too: torch's own threshold cuts the softplus off at 2e-9.
    steps = functional.softplus(dt.to(dtype) + bias[:, None], threshold=50.0)
    passed = _passed_while_dropped(steps, bias, alignment=alignment)
    whole = steps + gaps.to(dtype).unsqueeze(-1) * passed
    # A step size may round to 0, and its input with it.
    share = steps / whole.clamp_min(torch.finfo(dtype).tiny)
    y = selective_scan(inputs * share, whole, A, B=B, C=C, softplus=False, backend=backend)
    return (y + inputs * D.to(dtype)[:, None]).to(x.dtype)


def _passed_while_dropped(steps: Tensor, bias: Tensor, *, alignment: Alignment) -> Tensor:
    """Return the step size of each dropped token before a kept one, to (batch, K, L, D)."""
    if alignment == "zero_input":
        return functional.softplus(bias, threshold=50.0)[:, None]
    if alignment == "prev_delta":
        # Nothing is before the first token, and its gap is 0.
        return torch.cat([steps[:, :, :1], steps[:, :, :-1]], dim=2)
    return steps


def token_scan_composite(
    x: Tensor,
    projections: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    order: Tensor,
    gaps: Tensor,
    alignment: Alignment,
    backend: Backend = "auto",
) -> Tensor:
    """Scan kept tokens along several orders: gather, step sizes, scan, put back and sum.

    Args:
        x: Kept tokens, (B, L, D).
        projections: Low-rank step size, input and output terms, (B, L, K, R + 2N).
        dt_weight: Step-size projection, (K, D, R).
        dt_bias: Bias of the step size, (K, D).
        A: State decay rates, negative, (K, D, N).
        D: Skip terms, (K, D).
        order: Index of the token at each step of each scan, (B, K, L).
        gaps: Dropped tokens before each step, (B, K, L).
        alignment: What the gaps do.
        backend: Backend of the selective scan.

    Returns:
        Sum over the K scans, (B, L, D).
    """
    scans, states = A.shape[0], A.shape[2]
    sequences = _rows_at(x, order)  # (B, K, L, D)
    terms = torch.stack(
        [_rows_at(projections[:, :, k], order[:, k]) for k in range(scans)], dim=1
    )  # (B, K, L, R + 2N)
    low_rank, B, C = torch.split(terms, [dt_weight.shape[2], states, states], dim=-1)
    dt = torch.einsum("bklr,kdr->bkld", low_rank, dt_weight)
    y = gapped_scan_composite(
        sequences,
        dt,
        A,
        B=B,
        C=C,
        D=D,
        dt_bias=dt_bias,
        gaps=gaps,
        alignment=alignment,
        backend=backend,
    )
    steps = torch.argsort(order, dim=-1)
    total = _rows_at(y[:, 0], steps[:, 0])
    # One after the other, so that the sum does not depend on the thread count.
    for k in range(1, scans):
        total = total + _rows_at(y[:, k], steps[:, k])
    return total


def sequence_scan_composite(
    x: Tensor,
    projections: Tensor,
    parameters: Sequence[Tensor],
    *,
    gaps: Tensor | None,
    reverse: bool,
    alignment: Alignment,
    backend: Backend = "auto",
) -> Tensor:
    """Scan sequences forwards or backwards: turn, step sizes, scan, turn back.

    Args:
        x: Tokens, (B, L, D).
        projections: Low-rank step size, input and output terms, (B, L, R + 2N).
        parameters: Step-size projection (1, D, R) and its bias (1, D), decay rates (1, D, N), skip
            terms (1, D).
        gaps: Dropped tokens before each step, (B, L); None for none.
        reverse: Start with the last token.
        alignment: What the gaps do.
        backend: Backend of the selective scan.

    Returns:
        Outputs in the order of `x`, (B, L, D).
    """
    dt_weight, dt_bias, A, D = parameters
    turned = [tensor.flip(1) if reverse else tensor for tensor in (x, projections)]
    sizes = [dt_weight.shape[2], A.shape[2], A.shape[2]]
    low_rank, B, C = torch.split(turned[1], sizes, dim=-1)
    dt = functional.linear(low_rank, dt_weight[0])
    y = gapped_scan_composite(
        turned[0].unsqueeze(1),
        dt.unsqueeze(1),
        A,
        B=B.unsqueeze(1),
        C=C.unsqueeze(1),
        D=D,
        dt_bias=dt_bias,
        gaps=None if gaps is None else gaps.unsqueeze(1),
        alignment=alignment,
        backend=backend,
    )
    return y.squeeze(1).flip(1) if reverse else y.squeeze(1)


def _rows_at(tokens: Tensor, index: Tensor) -> Tensor:
    """Return the tokens (B, L, D) at indices (B, ...) of each image, (B, ..., D)."""
    batch, count, channels = tokens.shape
    first = torch.arange(batch, device=index.device) * count
    rows = (index.flatten(1) + first[:, None]).flatten()
    return tokens.flatten(0, 1).index_select(0, rows).view(*index.shape, channels)
