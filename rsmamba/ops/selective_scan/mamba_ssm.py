"""The selective scan by the CUDA extension of mamba-ssm, where somebody has built it.

Source: state-spaces/mamba 2.3.2, `csrc/selective_scan/selective_scan.cpp`, whose `fwd` and `bwd`
are called here. We import the extension alone: the package around it loads transformers and more,
and its newer releases leave the extension out, so that only the module itself tells.

It takes channels first, (batch, K * D, L) with (batch, K, N, L) for the K groups, so that tensors
are copied on the way in and out. docs/gpu.md says how to build it; nobody has to.
"""

from typing import Any

import torch
from torch import Tensor

from rsmamba.errors import ShapeError, require
from rsmamba.ops.dispatch import MAMBA_SSM_MAX_STATES
from rsmamba.ops.selective_scan.chunked import ScanGradients, ScanInputs


def mamba_ssm_forward(
    inputs: ScanInputs, *, softplus: bool, keep_states: bool
) -> tuple[Tensor, Tensor]:
    """Run the scan.

    Args:
        inputs: The tensors of the scan on a CUDA device.
        softplus: Whether the step size passes through a softplus.
        keep_states: Has no effect; the extension always returns its states.

    Returns:
        Outputs in the type of x, (batch, K, L, D), and the extension's states for its backward,
        float32, (batch, K * D, ceil(L / 2048), 2N).
    """
    del keep_states
    y, states, *_ = _extension().fwd(*_arguments(inputs), softplus)
    return _channels_last(y, inputs.x.shape[1]).to(inputs.x.dtype), states


def mamba_ssm_backward(
    dy: Tensor, inputs: ScanInputs, *, states: Tensor, softplus: bool
) -> ScanGradients:
    """Compute all gradients.

    Args:
        dy: Gradient of the outputs, (batch, K, L, D).
        inputs: The tensors of the scan.
        states: What `mamba_ssm_forward` returned.
        softplus: As given to `mamba_ssm_forward`.

    Returns:
        The gradients of all inputs, in their types.
    """
    arguments = _arguments(inputs)
    dy = _channels_first(dy, arguments[0].dtype)
    # The empty places are the gate's: its output, its gradient, and whether to compute it again.
    dx, ddt, dA, dB, dC, d_skip, d_bias, *_ = _extension().bwd(
        *arguments, dy, states, None, None, softplus, False
    )
    paths, shape = inputs.x.shape[1], inputs.A.shape[:2]
    zeros = inputs.A.new_zeros(shape)
    return ScanGradients(
        x=_channels_last(dx, paths).to(inputs.x.dtype),
        dt=_channels_last(ddt, paths).to(inputs.dt.dtype),
        A=dA.view(inputs.A.shape).to(inputs.A.dtype),
        B=dB.transpose(2, 3).to(inputs.B.dtype, copy=True).contiguous(),
        C=dC.transpose(2, 3).to(inputs.C.dtype, copy=True).contiguous(),
        D=zeros if inputs.D is None else d_skip.view(shape).to(inputs.A.dtype),
        dt_bias=zeros.clone() if inputs.dt_bias is None else d_bias.view(shape).to(inputs.A.dtype),
    )


def _extension() -> Any:  # noqa: ANN401 - a module without types
    """Load the extension; its libraries are torch's, which this module has loaded."""
    return require("selective_scan_cuda", extra="gpu")


def _arguments(inputs: ScanInputs) -> tuple[Any, ...]:
    """Return u, delta, A, B, C, D, z and delta_bias as the extension takes them."""
    _check(inputs)
    rows = (inputs.x, inputs.dt, inputs.B, inputs.C)
    # One type for all four, of the three that it knows; others are computed in float32.
    types = {tensor.dtype for tensor in rows}
    dtype = types.pop() if len(types) == 1 else torch.float32
    x, dt = (_channels_first(tensor, dtype) for tensor in rows[:2])
    B, C = (tensor.transpose(2, 3).to(dtype).contiguous() for tensor in rows[2:])  # (.., K, N, L)
    A = inputs.A.float().flatten(0, 1).contiguous()  # (K * D, N)
    skip, bias = (
        None if part is None else part.float().flatten().contiguous()
        for part in (inputs.D, inputs.dt_bias)
    )
    return x, dt, A, B, C, skip, None, bias


def _check(inputs: ScanInputs) -> None:
    """Check what the extension reads without checking: groups, and the number of states."""
    paths, states, channels = inputs.B.shape[1], inputs.A.shape[2], inputs.A[..., 0].numel()
    if channels % paths or inputs.C.shape[1] != paths:
        message = (
            f"mamba-ssm's extension needs groups that divide the channels: got {paths} groups of "
            f"B, {inputs.C.shape[1]} of C and {channels} channels"
        )
        raise ShapeError(message)
    if states > MAMBA_SSM_MAX_STATES:
        message = (
            f"mamba-ssm's extension takes N up to {MAMBA_SSM_MAX_STATES} states, got {states}; "
            'use backend="triton"'
        )
        raise ShapeError(message)


def _channels_first(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn (batch, K, L, D) into contiguous (batch, K * D, L)."""
    return tensor.transpose(2, 3).to(dtype).flatten(1, 2).contiguous()


def _channels_last(tensor: Tensor, paths: int) -> Tensor:
    """Turn (batch, K * D, L) into contiguous (batch, K, L, D)."""
    batch, channels, length = tensor.shape
    return tensor.view(batch, paths, channels // paths, length).transpose(2, 3).contiguous()
