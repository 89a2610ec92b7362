"""The fused SS2D scan as custom operators of torch, so that compile and export see them."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rsmamba.ops.selective_scan.kept_states import SHAPES
from rsmamba.ops.ss2d.inputs import Ss2dInputs

# Module and prefix of the functions of each backend; a module loads its compiler when imported.
_BACKENDS = {
    "numba": ("rsmamba.ops.ss2d.compiled", "compiled"),
    "triton": ("rsmamba.ops.ss2d.triton_scan", "triton"),
}


def _function(backend: str, name: str) -> Callable[..., Any]:
    """Load a backend when it is first needed and return one of its two functions."""
    module, prefix = _BACKENDS[backend]
    function: Callable[..., Any] = getattr(importlib.import_module(module), f"{prefix}_{name}")
    return function


def ss2d_forward(
    x: Tensor,
    projections: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    paths: str,
    keep_states: bool,
    backend: str = "numba",
) -> tuple[Tensor, Tensor]:
    """Return the outputs and the kept states of a scan."""
    inputs = Ss2dInputs(x, projections, dt_weight, dt_bias, A, D)
    forward = _function(backend, "forward")
    with torch.autocast(x.device.type, enabled=False):
        y, kept = forward(inputs, paths=paths, keep_states=keep_states)
    return y, kept


ss2d_scan_op = torch.library.custom_op("rsmamba::ss2d_scan", ss2d_forward, mutates_args=())


@torch.library.custom_op("rsmamba::ss2d_scan_backward", mutates_args=())
def ss2d_scan_backward_op(
    dy: Tensor,
    x: Tensor,
    projections: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    states: Tensor,
    paths: str,
    backend: str = "numba",
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, projections, dt_weight, dt_bias, A and D."""
    inputs = Ss2dInputs(x, projections, dt_weight, dt_bias, A, D)
    backward = _function(backend, "backward")
    with torch.autocast(x.device.type, enabled=False):
        grads = backward(dy, inputs, states=states, paths=paths)
    return tuple(grads)


@ss2d_scan_op.register_fake
def _(
    x: Tensor,
    projections: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    paths: str,
    keep_states: bool,
    backend: str = "numba",
) -> tuple[Tensor, Tensor]:
    """Return the shapes of a forward call."""
    del projections, dt_weight, dt_bias, D, paths
    batch, height, width, channels = x.shape
    sequences = (batch, A.shape[0], height * width, channels)
    shape = SHAPES[backend](sequences, A.shape[2], keep=keep_states)
    kept = x.new_empty(shape, dtype=torch.float32)
    return torch.empty_like(x, memory_format=torch.contiguous_format), kept


@ss2d_scan_backward_op.register_fake
def _(
    dy: Tensor,
    x: Tensor,
    projections: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    states: Tensor,
    paths: str,
    backend: str = "numba",
) -> tuple[Tensor, ...]:
    """Return the shapes of a backward call."""
    del dy, states, paths, backend
    inputs = (x, projections, dt_weight, dt_bias, A, D)
    return tuple(
        torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in inputs
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ANN401 - torch's own context
    """Keep what the backward needs."""
    *tensors, ctx.paths, _, ctx.backend = inputs
    ctx.save_for_backward(*tensors, output[1])


def _backward(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own context
    """Return one gradient, or None, for each argument of the forward."""
    grads = ss2d_scan_backward_op(dy, *ctx.saved_tensors, ctx.paths, ctx.backend)
    return (*grads, None, None, None)


ss2d_scan_op.register_autograd(_backward, setup_context=_save)
