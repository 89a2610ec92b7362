"""SS2D: the selective scan along several paths over a feature map, summed.

Source: VMamba (arXiv 2401.10166, section 4 and appendix) for the cross-scan; CVMH-UNet and
PlainMamba for other sets of paths. Different here: the map is channels last, everything that is
pointwise in the pixel comes in pixel order, and the step size is given by its low-rank factor, so
that no sequence has to be built: h_t = exp(dt_t A) h_(t-1) + dt_t x_t B_t along each path k, with
dt = softplus(dt_weight_k r + dt_bias_k), and y sums C_t h_t + D_k x_t over the paths.

Symbols: B batch, H rows, W columns, L = H * W, K scan paths, D channels, N states, R rank of dt.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import (
    Backend,
    Chosen,
    choose,
    computing_dtype,
    is_traced,
    row_dtype,
)
from rsmamba.ops.scan_paths import NUM_PATHS, ScanPaths
from rsmamba.ops.ss2d.composite import ss2d_composite
from rsmamba.ops.ss2d.operator import ss2d_forward, ss2d_scan_op

__all__ = ["ss2d_scan"]

# What runs a scan, by whether torch must see it as one operator.
_RUN: dict[bool, Callable[..., tuple[Tensor, Tensor]]] = {True: ss2d_scan_op, False: ss2d_forward}


def ss2d_scan(
    x: Tensor,
    projections: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    paths: ScanPaths,
    backend: Backend = "auto",
) -> Tensor:
    """Scan a map along several paths and sum the results.

    Computes in float32, or in float64 if `x` is float64. Differentiable once in all tensors.

    Args:
        x: Feature map, (B, H, W, D), any H and W.
        projections: What the scan needs of each pixel for each path, (B, H, W, K, R + 2N): R
            values of the low-rank step size, N input terms B, N output terms C.
        dt_weight: Step-size projection, (K, D, R).
        dt_bias: Bias of the step size before the softplus, (K, D).
        A: State decay rates, negative, (K, D, N).
        D: Skip terms, (K, D).
        paths: Name of the set of scan paths.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Sum over the K paths with shape and dtype of `x`, (B, H, W, D).

    Raises:
        ShapeError: If the shapes do not agree or an axis is empty.

    Example:
        >>> x, ones = torch.ones(1, 2, 2, 1), torch.ones(4, 1)
        >>> y = ss2d_scan(x, torch.ones(1, 2, 2, 4, 3), dt_weight=ones[..., None], dt_bias=ones,
        ...               A=-ones[..., None], D=ones, paths="cross", backend="torch")
        >>> tuple(y.shape)
        (1, 2, 2, 1)
    """
    parameters = {"dt_weight": dt_weight, "dt_bias": dt_bias, "A": A, "D": D}
    problem = _shape_problem(x, projections, parameters, paths=paths)
    if problem:
        raise ShapeError(problem)
    dtype = computing_dtype(x)
    chosen = choose("ss2d_scan", backend=backend, device=x.device, dtype=dtype, states=A.shape[2])
    maps = [t.to(row_dtype(t, backend=chosen, dtype=dtype)) for t in (x, projections)]
    if chosen in {"numba", "triton"}:
        tensors = (*maps, *(tensor.to(dtype) for tensor in parameters.values()))
        y = _fused(*tensors, paths=paths, backend=chosen)
    else:
        with torch.autocast(x.device.type, enabled=False):
            y = ss2d_composite(
                *maps,
                **{name: tensor.to(dtype) for name, tensor in parameters.items()},
                paths=paths,
                backend=chosen,
            )
    return y.to(x.dtype)


def _fused(*tensors: Tensor, paths: ScanPaths, backend: Chosen) -> Tensor:
    """Run the fused operator."""
    keep_states = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    y, _ = _RUN[keep_states or is_traced(*tensors)](*tensors, paths, keep_states, backend)
    return y


def _shape_problem(
    x: Tensor, projections: Tensor, parameters: dict[str, Tensor], *, paths: ScanPaths
) -> str | None:
    """Say which shape does not agree with those of x, A and dt_weight, or return None."""
    A, dt_weight = parameters["A"], parameters["dt_weight"]
    shapes = (*x.shape, *A.shape, *dt_weight.shape)
    if x.ndim != 4 or A.ndim != 3 or dt_weight.ndim != 3 or 0 in shapes:
        return (
            "ss2d_scan takes x of shape (B, H, W, D), A of shape (K, D, N) and dt_weight of shape "
            f"(K, D, R) with no empty axis, got {tuple(x.shape)}, {tuple(A.shape)} and "
            f"{tuple(dt_weight.shape)}"
        )
    num_paths, _, states = A.shape
    if num_paths != NUM_PATHS.get(paths, num_paths):
        return f'ss2d_scan: paths "{paths}" has K = {NUM_PATHS[paths]} paths, A has {num_paths}'
    rank, channels = dt_weight.shape[2], x.shape[3]
    expected = {
        "dt_weight": (num_paths, channels, rank),
        "dt_bias": (num_paths, channels),
        "A": (num_paths, channels, states),
        "D": (num_paths, channels),
        "projections": (*x.shape[:3], num_paths, rank + 2 * states),
    }
    for name, tensor in {**parameters, "projections": projections}.items():
        if tuple(tensor.shape) != expected[name]:
            return (
                f"ss2d_scan: {name} must have shape {expected[name]} to go with x "
                f"{tuple(x.shape)}, A {tuple(A.shape)} and dt_weight {tuple(dt_weight.shape)}, "
                f"got {tuple(tensor.shape)}"
            )
    return None
