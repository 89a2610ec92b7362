"""The selective scan as custom operators of torch, so that compile and export see them.

`rsmamba::selective_scan` returns the outputs and the states that the backward needs;
`rsmamba::selective_scan_backward` returns the gradients. The backend is one of their arguments and
is chosen before the call.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rsmamba.ops.selective_scan.chunked import ScanInputs
from rsmamba.ops.selective_scan.kept_states import SHAPES

# Module and prefix of the functions of each backend; a module loads its compiler when imported.
_BACKENDS = {
    "numba": ("rsmamba.ops.selective_scan.compiled", "compiled"),
    "torch": ("rsmamba.ops.selective_scan.chunked", "chunked"),
    "triton": ("rsmamba.ops.selective_scan.triton_scan", "triton"),
    "mamba_ssm": ("rsmamba.ops.selective_scan.mamba_ssm", "mamba_ssm"),
}


def _function(backend: str, name: str) -> Callable[..., Any]:
    """Load a backend when it is first needed and return one of its two functions."""
    module, prefix = _BACKENDS[backend]
    function: Callable[..., Any] = getattr(importlib.import_module(module), f"{prefix}_{name}")
    return function


def selective_scan_forward(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    dt_bias: Tensor | None,
    softplus: bool,
    keep_states: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Return the outputs and the kept states of a scan."""
    inputs = ScanInputs(x, dt, A, B, C, D, dt_bias)
    forward = _function(backend, "forward")
    with torch.autocast(x.device.type, enabled=False):
        y, kept = forward(inputs, softplus=softplus, keep_states=keep_states)
    return y, kept


selective_scan_op = torch.library.custom_op(
    "rsmamba::selective_scan", selective_scan_forward, mutates_args=()
)


@torch.library.custom_op("rsmamba::selective_scan_backward", mutates_args=())
def selective_scan_backward_op(
    dy: Tensor,
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    dt_bias: Tensor | None,
    states: Tensor,
    softplus: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, dt, A, B, C, D and dt_bias."""
    inputs = ScanInputs(x, dt, A, B, C, D, dt_bias)
    backward = _function(backend, "backward")
    with torch.autocast(x.device.type, enabled=False):
        grads = backward(dy, inputs, states=states, softplus=softplus)
    return grads.x, grads.dt, grads.A, grads.B, grads.C, grads.D, grads.dt_bias


@selective_scan_op.register_fake
def _(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    dt_bias: Tensor | None,
    softplus: bool,
    keep_states: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Return the shapes of a forward call."""
    del dt, B, C, D, dt_bias, softplus
    shape = SHAPES[backend](x.shape, A.shape[2], keep=keep_states)
    dtype = x.dtype if x.dtype == torch.float64 else torch.float32
    kept = x.new_empty(shape, dtype=dtype)
    return torch.empty_like(x, memory_format=torch.contiguous_format), kept


@selective_scan_backward_op.register_fake
def _(
    dy: Tensor,
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    dt_bias: Tensor | None,
    states: Tensor,
    softplus: bool,
    backend: str,
) -> tuple[Tensor, ...]:
    """Return the shapes of a backward call."""
    del dy, D, dt_bias, states, softplus, backend
    skip = A.new_empty(A.shape[:2])
    return (
        *(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (x, dt)),
        *(torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in (A, B, C)),
        skip,
        torch.empty_like(skip),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ANN401 - torch's own context
    """Keep what the backward needs."""
    *tensors, ctx.softplus, _, ctx.backend = inputs
    ctx.save_for_backward(*tensors, output[1])
    ctx.set_materialize_grads(True)


def _backward(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own context
    """Return one gradient, or None, for each argument of the forward."""
    *tensors, D, dt_bias, states = ctx.saved_tensors
    grads = selective_scan_backward_op(dy, *tensors, D, dt_bias, states, ctx.softplus, ctx.backend)
    d_skip = None if D is None else grads[5]
    d_bias = None if dt_bias is None else grads[6]
    return (*grads[:5], d_skip, d_bias, None, None, None)


selective_scan_op.register_autograd(_backward, setup_context=_save)
