"""A selective scan over sequences of one feature, such as the channels of a pixel.

Source: MambaMixer (arXiv 2403.19888, section 3.2, the selective channel mixer), read as a scan
along the channels of every pixel by itself. With a single feature, the step size and the terms of
the recurrence are multiples of the input: dt_t = softplus(dt_weight x_t + dt_bias), B_t = B x_t,
C_t = C x_t. Then h_t = exp(dt_t A) h_(t-1) + dt_t x_t B_t and y_t = C_t h_t + D x_t.

Different from a plain scan: x_t is taken out of B_t and C_t, which leaves a scan of x_t^2 whose B
and C are the same for every sequence and step. Sequences thereby become the channels of
`selective_scan`, whose kernels work on many channels at once and on a single one slowly.

Symbols: K scans, L steps, M independent sequences, N states.
"""

import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import Backend, choose
from rsmamba.ops.selective_scan import selective_scan

__all__ = ["channel_scan"]

# Sequences that the torch backend takes at a time, so that its states stay below 100 MB.
_BLOCK = 4096


def channel_scan(
    x: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    backend: Backend = "auto",
) -> Tensor:
    """Run K scans of one feature along L, on M sequences each.

    Computes in float32, or in float64 if `x` is float64. Differentiable once in all tensors.

    Args:
        x: Sequences, (K, L, M).
        dt_weight: Weight of the step size, (K,).
        dt_bias: Bias of the step size before the softplus, (K,).
        A: State decay rates, negative, (K, N).
        B: Weights of the input terms, (K, N).
        C: Weights of the output terms, (K, N).
        D: Skip terms, (K,).
        backend: "auto", or the name of the backend that must run.

    Returns:
        Outputs with shape and dtype of `x`, (K, L, M).

    Raises:
        ShapeError: If the shapes do not agree or an axis is empty.

    Example:
        >>> x, one = torch.ones(1, 2, 1), torch.ones(1)
        >>> y = channel_scan(x, dt_weight=one, dt_bias=-one, A=-one[:, None], B=one[:, None],
        ...                  C=one[:, None], D=one, backend="torch")
        >>> [round(value, 3) for value in y.flatten().tolist()]
        [1.693, 2.04]
    """
    parameters = {"dt_weight": dt_weight, "dt_bias": dt_bias, "A": A, "B": B, "C": C, "D": D}
    problem = _shape_problem(x, parameters)
    if problem:
        raise ShapeError(problem)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    chosen = choose("selective_scan", backend=backend, device=x.device, dtype=dtype)
    with torch.autocast(x.device.type, enabled=False):
        inputs = x.to(dtype)
        values = {name: tensor.to(dtype) for name, tensor in parameters.items()}
        blocks = torch.split(inputs, _BLOCK, dim=2) if chosen == "torch" else (inputs,)
        parts = [_scan(block, backend=backend, **values) for block in blocks]
        y = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
    return y.to(x.dtype)


def _scan(
    x: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    backend: Backend,
) -> Tensor:
    """Scan the squares with the sequences in the place of channels."""
    scans, length, sequences = x.shape
    states = A.shape[1]
    scanned = selective_scan(
        (x * x)[None],
        (x * dt_weight[:, None, None])[None],
        A[:, None].expand(scans, sequences, states),
        B=B[None, :, None].expand(1, scans, length, states),
        C=C[None, :, None].expand(1, scans, length, states),
        dt_bias=dt_bias[:, None].expand(scans, sequences),
        backend=backend,
    )
    return x * (scanned[0] + D[:, None, None])


def _shape_problem(x: Tensor, parameters: dict[str, Tensor]) -> str | None:
    """Say which shape does not agree with those of x and A, or return None."""
    A = parameters["A"]
    if x.ndim != 3 or A.ndim != 2 or 0 in (*x.shape, *A.shape):
        return (
            "channel_scan takes x of shape (K, L, M) and A of shape (K, N) with no empty axis, "
            f"got {tuple(x.shape)} and {tuple(A.shape)}"
        )
    scans, states = x.shape[0], A.shape[1]
    for name, tensor in parameters.items():
        shape = (scans, states) if name in {"A", "B", "C"} else (scans,)
        if tuple(tensor.shape) != shape:
            return (
                f"channel_scan: {name} must have shape {shape} to go with x {tuple(x.shape)} and "
                f"A {tuple(A.shape)}, got {tuple(tensor.shape)}"
            )
    return None
