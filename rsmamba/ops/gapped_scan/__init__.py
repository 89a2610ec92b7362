"""Selective scans over what is left of a sequence after tokens were dropped.

Source: the pruning-aware alignment of hidden states of "Exploring token pruning in vision state
space models" (Zhan et al., NeurIPS 2024, arXiv 2409.18962): the state moves on where tokens are
missing. A dropped token adds nothing and lets some time pass, so that the g dropped tokens before
a kept one only lengthen the step by which the state decays there, not the one that scales its
input: h_t = exp((dt_t + s_t) A) h_(t-1) + dt_t x_t B_t, y_t = C_t h_t + D x_t. The short sequence
gives what the long one would, see `Alignment` for s_t.

Symbols: B batch, K scans, L kept tokens, D channels, N states, R rank of the step size.
"""

from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.gapped_scan.choosing import load_kernel, runs_compiled
from rsmamba.ops.gapped_scan.composite import (
    Alignment,
    gapped_scan_composite,
    token_scan_composite,
)
from rsmamba.ops.gapped_scan.sequences import SequenceScan, sequence_scans

__all__ = ["Alignment", "SequenceScan", "gapped_scan", "sequence_scans", "token_scan"]


def gapped_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    *,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    dt_bias: Tensor,
    gaps: Tensor,
    alignment: Alignment = "zero_input",
    backend: Backend = "auto",
) -> Tensor:
    """Run the selective scan over sequences with gaps.

    Computes in float32, or in float64 if `x` is float64. Differentiable once in all but the gaps.

    Args:
        x: Inputs, (batch, K, L, D).
        dt: Step sizes before bias and softplus, (batch, K, L, D).
        A: State decay rates, negative, (K, D, N).
        B: Input terms, (batch, K, L, N).
        C: Output terms, (batch, K, L, N).
        D: Skip terms, (K, D).
        dt_bias: Added to `dt` before the softplus, (K, D).
        gaps: Dropped tokens before each one in the order of its scan, 0 before the first,
            (batch, K, L).
        alignment: What the gaps do.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Outputs with shape and dtype of `x`, (batch, K, L, D).

    Raises:
        ShapeError: If the shapes do not agree or an axis is empty.

    Example:
        >>> import torch
        >>> ones = torch.ones(1, 1, 2, 1)
        >>> y = gapped_scan(ones, ones, -ones[:, :, 0], B=ones, C=ones, D=ones[0, :, 0],
        ...                 dt_bias=ones[0, :, 0], gaps=torch.tensor([[[0, 3]]]))
        >>> tuple(y.shape)
        (1, 1, 2, 1)
    """
    if tuple(gaps.shape) != tuple(x.shape[:3]):
        message = (
            f"gapped_scan: gaps must have shape {tuple(x.shape[:3])} to go with x "
            f"{tuple(x.shape)}, got {tuple(gaps.shape)}"
        )
        raise ShapeError(message)
    tensors = (x, dt, A, B, C, D, dt_bias)
    if runs_compiled(*tensors, alignment=alignment, backend=backend):
        compiled_gaps = None if alignment == "none" else gaps
        return load_kernel("compiled_gapped_scan")(*tensors, gaps=compiled_gaps)
    return gapped_scan_composite(
        x, dt, A, B=B, C=C, D=D, dt_bias=dt_bias, gaps=gaps, alignment=alignment, backend=backend
    )


def token_scan(
    x: Tensor,
    projections: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    order: Tensor,
    gaps: Tensor,
    alignment: Alignment = "zero_input",
    backend: Backend = "auto",
) -> Tensor:
    """Scan the kept tokens of a map along several orders with gaps, and sum the results.

    This is `ss2d_scan` for what is left of a map: every image has orders of its own.

    Args:
        x: Kept tokens, (B, L, D).
        projections: What the scan needs of each token for each order, (B, L, K, R + 2N): R values
            of the low-rank step size, N input terms B, N output terms C.
        dt_weight: Step-size projection, (K, D, R).
        dt_bias: Bias of the step size before the softplus, (K, D).
        A: State decay rates, negative, (K, D, N).
        D: Skip terms, (K, D).
        order: Index of the token at each step of each scan, (B, K, L).
        gaps: Dropped tokens before each step, 0 before the first, (B, K, L).
        alignment: What the gaps do.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Sum over the K scans with shape and dtype of `x`, (B, L, D).

    Raises:
        ShapeError: If the shapes do not agree.
    """
    batch, tokens, _ = x.shape
    features = dt_weight.shape[2] + 2 * A.shape[2]
    expected = {
        "projections": (projections, (batch, tokens, A.shape[0], features)),
        "order": (order, (batch, A.shape[0], tokens)),
        "gaps": (gaps, (batch, A.shape[0], tokens)),
    }
    for name, (tensor, shape) in expected.items():
        if tuple(tensor.shape) != shape:
            message = (
                f"token_scan: {name} must have shape {shape} to go with x {tuple(x.shape)} and A "
                f"{tuple(A.shape)}, got {tuple(tensor.shape)}"
            )
            raise ShapeError(message)
    tensors = (x, projections, dt_weight, dt_bias, A, D)
    if runs_compiled(*tensors, alignment=alignment, backend=backend):
        compiled_gaps = None if alignment == "none" else gaps
        return load_kernel("compiled_token_scan")(*tensors, order=order, gaps=compiled_gaps)
    return token_scan_composite(
        x,
        projections,
        dt_weight=dt_weight,
        dt_bias=dt_bias,
        A=A,
        D=D,
        order=order,
        gaps=gaps,
        alignment=alignment,
        backend=backend,
    )
