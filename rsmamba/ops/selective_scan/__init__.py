"""The selective scan of Mamba (arXiv 2312.00752, eq. 2 and algorithm 2).

For each group k and channel d, with step = softplus(dt + dt_bias) and a state h of N values:
h_t = exp(step_t A) h_(t-1) + step_t x_t B_t, and y_t = C_t h_t + D x_t. Official code:
`selective_scan_fn` of state-spaces/mamba. Different here: tensors are channels last, groups have
their own axis, and float16 or bfloat16 inputs are computed in float32.

Symbols: K groups (scan paths), L tokens, D channels, N states of each channel.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import Backend, choose, computing_dtype, is_traced, row_dtype
from rsmamba.ops.selective_scan.operator import selective_scan_forward, selective_scan_op

__all__ = ["selective_scan"]

# What runs a scan, by whether torch must see it as one operator.
_RUN: dict[bool, Callable[..., tuple[Tensor, Tensor]]] = {
    True: selective_scan_op,
    False: selective_scan_forward,
}


def selective_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    *,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    dt_bias: Tensor | None = None,
    softplus: bool = True,
    backend: Backend = "auto",
) -> Tensor:
    """Run the selective scan along L, each sequence from a zero state.

    Computes in float32, or in float64 if `x` is float64. Differentiable once in all tensors.

    Args:
        x: Inputs, (batch, K, L, D).
        dt: Step sizes before bias and softplus, (batch, K, L, D).
        A: State decay rates, negative, (K, D, N).
        B: Input terms, (batch, K, L, N).
        C: Output terms, (batch, K, L, N).
        D: Skip terms, (K, D), or None for no skip.
        dt_bias: Added to `dt` before the softplus, (K, D), or None.
        softplus: Whether the step size is softplus(dt + dt_bias) or dt + dt_bias.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Outputs with shape and dtype of `x`, (batch, K, L, D).

    Raises:
        ShapeError: If the shapes do not agree or an axis is empty.

    Example:
        >>> x = torch.ones(1, 1, 3, 1)
        >>> y = selective_scan(x, x, -x[:, :, 0], B=x, C=x, softplus=False, backend="torch")
        >>> [round(value, 3) for value in y.flatten().tolist()]
        [1.0, 1.368, 1.503]
    """
    tensors = {"x": x, "dt": dt, "A": A, "B": B, "C": C, "D": D, "dt_bias": dt_bias}
    problem = _shape_problem(tensors)
    if problem:
        raise ShapeError(problem)
    dtype = computing_dtype(x)
    chosen = choose(
        "selective_scan", backend=backend, device=x.device, dtype=dtype, states=A.shape[2]
    )
    keep_states = torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in tensors.values()
    )
    traced = keep_states or is_traced(*tensors.values())
    rows = {
        name: tensor.to(row_dtype(tensor, backend=chosen, dtype=dtype))
        for name, tensor in (("x", x), ("dt", dt), ("B", B), ("C", C))
    }
    parameters = {
        name: None if tensor is None else tensor.to(dtype)
        for name, tensor in (("A", A), ("D", D), ("dt_bias", dt_bias))
    }
    y, _ = _RUN[traced](
        *({**parameters, **rows}[name] for name in tensors),
        softplus,
        keep_states,
        chosen,
    )
    output: Tensor = y.to(x.dtype)
    return output


def _shape_problem(tensors: dict[str, Tensor | None]) -> str | None:
    """Say which shape does not agree with those of x and A, or return None."""
    x, A = tensors["x"], tensors["A"]
    if x is None or A is None or x.ndim != 4 or A.ndim != 3 or 0 in (*x.shape, *A.shape):
        return (
            "selective_scan takes x of shape (batch, K, L, D) and A of shape (K, D, N) with no "
            f"empty axis, got {_shape(x)} and {_shape(A)}"
        )
    batch, groups, length, channels = x.shape
    states = A.shape[2]
    expected = {
        "dt": (batch, groups, length, channels),
        "A": (groups, channels, states),
        "B": (batch, groups, length, states),
        "C": (batch, groups, length, states),
        "D": (groups, channels),
        "dt_bias": (groups, channels),
    }
    for name, shape in expected.items():
        tensor = tensors[name]
        if tensor is not None and tuple(tensor.shape) != shape:
            return (
                f"selective_scan: {name} must have shape {shape} to go with x "
                f"{tuple(x.shape)} and A {tuple(A.shape)}, got {tuple(tensor.shape)}"
            )
    return None


def _shape(tensor: Tensor | None) -> tuple[int, ...] | None:
    """Return the shape as a plain tuple for a message."""
    return None if tensor is None else tuple(tensor.shape)
