"""The selective scan on sequences by the Triton kernels."""

from torch import Tensor

from rsmamba.ops.selective_scan.chunked import ScanGradients, ScanInputs
from rsmamba.ops.triton_kernels.plan import BACKWARD, FORWARD, Tiling
from rsmamba.ops.triton_kernels.triton_launch import Scan, pack, run_backward, run_forward


def triton_forward(
    inputs: ScanInputs, *, softplus: bool, keep_states: bool, tiling: Tiling = FORWARD
) -> tuple[Tensor, Tensor]:
    """Run the scan.

    Args:
        inputs: The tensors of the scan, sequences in float32, bfloat16 or float16.
        softplus: Whether the step size passes through a softplus.
        keep_states: Whether to return the states that the backward needs.
        tiling: The share of one program.

    Returns:
        Outputs in the type of x, (batch, K, L, D), and the kept states, (batch, K, chunks, N, D).
    """
    scan = _scan(inputs, softplus=softplus)
    return run_forward(scan, keep_states=keep_states, dtype=inputs.x.dtype, tiling=tiling)


def triton_backward(
    dy: Tensor, inputs: ScanInputs, *, states: Tensor, softplus: bool, tiling: Tiling = BACKWARD
) -> ScanGradients:
    """Compute all gradients.

    Args:
        dy: Gradient of the outputs, (batch, K, L, D).
        inputs: The tensors of the scan.
        states: What `triton_forward` kept.
        softplus: As given to `triton_forward`.
        tiling: The share of one program.

    Returns:
        The gradients of all inputs, in their types.
    """
    scan = _scan(inputs, softplus=softplus)
    dtypes = (inputs.x.dtype, inputs.dt.dtype)
    grads = run_backward(scan, dy.contiguous(), states, dtypes=dtypes, tiling=tiling)
    return ScanGradients(
        grads.x,
        grads.steps,
        grads.A.to(inputs.A.dtype),
        grads.B.to(inputs.B.dtype),
        grads.C.to(inputs.C.dtype),
        grads.skip.to(inputs.A.dtype),
        grads.dt_bias.to(inputs.A.dtype),
    )


def _scan(inputs: ScanInputs, *, softplus: bool) -> Scan:
    """Describe the scan to the kernels."""
    A2, skip, bias = pack(inputs.A, D=inputs.D, dt_bias=inputs.dt_bias)
    x, dt, B, C = (tensor.contiguous() for tensor in (inputs.x, inputs.dt, inputs.B, inputs.C))
    return Scan(
        x=x,
        steps=dt,
        B=B,
        C=C,
        row=B.shape[-1],
        order=None,
        A2=A2,
        dt_weight=None,
        dt_bias=bias,
        skip=skip,
        softplus=softplus,
    )
