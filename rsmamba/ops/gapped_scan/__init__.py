"""Selective scans over what is left of a sequence after tokens were dropped.

Source: the pruning-aware alignment of hidden states of "Exploring token pruning in vision state
space models" (Zhan et al., NeurIPS 2024, arXiv 2409.18962): the state moves on where tokens are
missing. A dropped token adds nothing and lets some time pass, so that the g dropped tokens before
a kept one only lengthen the step by which the state decays there, not the one that scales its
input: h_t = exp((dt_t + s_t) A) h_(t-1) + dt_t x_t B_t, y_t = C_t h_t + D x_t. The short sequence
gives what the long one would, see `Alignment` for s_t.

Symbols: B batch, K scans, L kept tokens, D channels, N states, R rank of the step size.
"""

import functools
import importlib
from collections.abc import Callable

import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import Backend, choose, computing_dtype, is_traced
from rsmamba.ops.gapped_scan.composite import (
    Alignment,
    gapped_scan_composite,
    sequence_scan_composite,
    token_scan_composite,
)

__all__ = ["Alignment", "gapped_scan", "sequence_scan", "token_scan"]

# What the compiled forward kernel knows; the others change a few large tensors before a scan.
_COMPILED = ("none", "zero_input")


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
    if _runs_compiled(*tensors, alignment=alignment, backend=backend):
        compiled_gaps = None if alignment == "none" else gaps
        return _compiled("compiled_gapped_scan")(*tensors, gaps=compiled_gaps)
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
    if _runs_compiled(*tensors, alignment=alignment, backend=backend):
        compiled_gaps = None if alignment == "none" else gaps
        return _compiled("compiled_token_scan")(*tensors, order=order, gaps=compiled_gaps)
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


def sequence_scan(
    x: Tensor,
    projections: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    reverse: bool = False,
    gaps: Tensor | None = None,
    alignment: Alignment = "zero_input",
    backend: Backend = "auto",
) -> Tensor:
    """Scan sequences forwards or backwards, with gaps if tokens were dropped.

    Nothing is reversed or copied: the compiled kernel reads the tokens where they lie.

    Args:
        x: Tokens, (B, L, D).
        projections: What the scan needs of each token, (B, L, R + 2N): R values of the low-rank
            step size, N input terms B, N output terms C.
        dt_weight: Step-size projection, (D, R).
        dt_bias: Bias of the step size before the softplus, (D,).
        A: State decay rates, negative, (D, N).
        D: Skip terms, (D,).
        reverse: Start with the last token.
        gaps: Dropped tokens before each step in the order of the scan, 0 before the first, (B, L);
            None where none was dropped.
        alignment: What the gaps do.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Outputs with shape, dtype and order of `x`, (B, L, D).
    """
    parameters = [tensor.unsqueeze(0) for tensor in (dt_weight, dt_bias, A, D)]
    tensors = (x, projections.unsqueeze(2), *parameters)
    if gaps is None:
        alignment = "none"
    if _runs_compiled(*tensors, alignment=alignment, backend=backend):
        return _compiled("compiled_token_scan")(
            *tensors,
            order=walk(x.shape[1], reverse).expand(x.shape[0], 1, -1),
            gaps=None if alignment == "none" or gaps is None else gaps.unsqueeze(1),
        )
    return sequence_scan_composite(
        x,
        projections,
        parameters,
        gaps=gaps,
        reverse=reverse,
        alignment=alignment,
        backend=backend,
    )


@functools.lru_cache(maxsize=64)
def walk(length: int, reverse: bool) -> Tensor:
    """Return the order in which a sequence is walked, int32 (L,); shared, so do not write to it.

    Args:
        length: Tokens L.
        reverse: Start with the last one.

    Returns:
        Index of the token at each step.
    """
    steps = torch.arange(length, dtype=torch.int32)
    return steps.flip(0) if reverse else steps


def _compiled(name: str) -> Callable[..., Tensor]:
    """Load the kernel when it is first needed, and return one of its two functions."""
    function: Callable[..., Tensor] = getattr(
        importlib.import_module("rsmamba.ops.gapped_scan.compiled"), name
    )
    return function


def _runs_compiled(*tensors: Tensor, alignment: Alignment, backend: Backend) -> bool:
    """Say whether the compiled forward kernel takes a call: it has no gradients."""
    needs_gradients = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if alignment not in _COMPILED or needs_gradients or is_traced(*tensors):
        return False
    x = tensors[0]
    dtype = computing_dtype(x)
    return choose("selective_scan", backend=backend, device=x.device, dtype=dtype) == "numba"
