"""The fused SS2D scan as custom operators of torch, so that compile and export see them."""

import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

_CHUNK = 64


def _compiled() -> ModuleType:
    """Load the compiled backend, and numba with it, when it is first needed."""
    return importlib.import_module("rsmamba.ops.ss2d.compiled")


def ss2d_forward(
    x: Tensor,
    projections: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    D: Tensor,
    paths: str,
    keep_states: bool,
) -> tuple[Tensor, Tensor]:
    """Return the outputs and the kept states of a scan."""
    compiled = _compiled()
    inputs = compiled.Ss2dInputs(x, projections, dt_weight, dt_bias, A, D)
    y, kept = compiled.compiled_forward(inputs, paths=paths, keep_states=keep_states)
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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, projections, dt_weight, dt_bias, A and D."""
    compiled = _compiled()
    inputs = compiled.Ss2dInputs(x, projections, dt_weight, dt_bias, A, D)
    grads = compiled.compiled_backward(dy, inputs, states=states, paths=paths)
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
) -> tuple[Tensor, Tensor]:
    """Return the shapes of a forward call."""
    del projections, dt_weight, dt_bias, D, paths
    batch, height, width, channels = x.shape
    chunks = -(-height * width // _CHUNK) if keep_states else 0
    kept = x.new_empty((batch, A.shape[0], chunks, -(-channels // 16), A.shape[2], 16))
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
) -> tuple[Tensor, ...]:
    """Return the shapes of a backward call."""
    del dy, states, paths
    inputs = (x, projections, dt_weight, dt_bias, A, D)
    return tuple(
        torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in inputs
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ANN401 - torch's own context
    """Keep what the backward needs."""
    *tensors, ctx.paths, _ = inputs
    ctx.save_for_backward(*tensors, output[1])


def _backward(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own context
    """Return one gradient, or None, for each argument of the forward."""
    return (*ss2d_scan_backward_op(dy, *ctx.saved_tensors, ctx.paths), None, None)


ss2d_scan_op.register_autograd(_backward, setup_context=_save)
