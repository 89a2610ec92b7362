"""The selective scan on sequences by the compiled CPU kernels."""

import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels.packing import Parameters, pack_parameters
from rsmamba.ops.cpu_kernels.plan import (
    Gradients,
    Scan,
    num_blocks,
    sequence_rows,
    with_dense_rows,
)
from rsmamba.ops.cpu_kernels.run import (
    kept_shape,
    num_slots,
    parameter_gradients,
    run_backward,
    run_forward,
    total,
    zero_sums,
)
from rsmamba.ops.selective_scan.chunked import ScanGradients, ScanInputs


def compiled_forward(
    inputs: ScanInputs, *, softplus: bool, keep_states: bool
) -> tuple[Tensor, Tensor]:
    """Run the scan.

    Args:
        inputs: The tensors of the scan, float32 on the CPU.
        softplus: Whether the step size passes through a softplus.
        keep_states: Whether to return the states that the backward needs.

    Returns:
        Outputs (batch, K, L, D), and the state before each chunk, (batch, K, chunks, blocks, N, 16)
        with zero chunks if `keep_states` is false.
    """
    inputs = _with_dense_rows(inputs)
    parameters = pack_parameters(inputs.A, D=inputs.D, dt_bias=inputs.dt_bias)
    batch, _, length, _ = inputs.x.shape
    y = torch.empty(inputs.x.shape)
    kept = torch.empty(kept_shape(batch, length, inputs.A.shape, keep=keep_states))
    scan = _scan(inputs, parameters, kept, softplus=softplus)
    run_forward(scan, sequence_rows(y), batch)
    return y, kept


def compiled_backward(
    dy: Tensor, inputs: ScanInputs, *, states: Tensor, softplus: bool
) -> ScanGradients:
    """Compute all gradients.

    Args:
        dy: Gradient of the outputs, (batch, K, L, D).
        inputs: The tensors of the scan, float32 on the CPU.
        states: What `compiled_forward` kept.
        softplus: As given to `compiled_forward`.

    Returns:
        The gradients of all inputs.
    """
    inputs, dy = _with_dense_rows(inputs), with_dense_rows(dy)
    parameters = pack_parameters(inputs.A, D=inputs.D, dt_bias=inputs.dt_bias)
    batch, paths, _, channels = inputs.x.shape
    slots = num_slots(
        batch * paths, num_blocks(channels), slot_bytes=4 * (inputs.B.numel() + inputs.C.numel())
    )
    dx, ddt = torch.empty(inputs.x.shape), torch.empty(inputs.x.shape)
    dB, dC = (torch.empty((slots, *inputs.B.shape)) for _ in range(2))
    sums = zero_sums(parameters, batch)
    grads = Gradients(
        dy=sequence_rows(dy),
        x=sequence_rows(dx),
        steps=sequence_rows(ddt),
        B=sequence_rows(dB.flatten(0, 1)),
        C=sequence_rows(dC.flatten(0, 1)),
        A=sums.A.data_ptr(),
        dt_weight=sums.dt_weight.data_ptr(),
        dt_bias=sums.dt_bias.data_ptr(),
        D=sums.D.data_ptr(),
    )
    scan = _scan(inputs, parameters, states, softplus=softplus)
    run_backward(scan, grads, batch=batch, slots=slots)
    dA, _, d_bias, d_skip = parameter_gradients(sums, channels)
    return ScanGradients(dx, ddt, dA, total(dB), total(dC), d_skip, d_bias)


def _with_dense_rows(inputs: ScanInputs) -> ScanInputs:
    """Return the inputs with the numbers of each row side by side."""
    return inputs._replace(
        x=with_dense_rows(inputs.x),
        dt=with_dense_rows(inputs.dt),
        B=with_dense_rows(inputs.B),
        C=with_dense_rows(inputs.C),
    )


def _scan(inputs: ScanInputs, parameters: Parameters, kept: Tensor, *, softplus: bool) -> Scan:
    """Describe the scan to the kernels; the tensors must outlive the call."""
    _, paths, length, channels = inputs.x.shape
    return Scan(
        length=length,
        channels=channels,
        states=inputs.A.shape[2],
        rank=0,
        softplus=int(softplus),
        paths=paths,
        summed=0,
        order=0,
        x=sequence_rows(inputs.x),
        steps=sequence_rows(inputs.dt),
        B=sequence_rows(inputs.B),
        C=sequence_rows(inputs.C),
        A2=parameters.A2.data_ptr(),
        dt_weight=0,
        dt_bias=parameters.dt_bias.data_ptr(),
        D=parameters.D.data_ptr(),
        kept=kept.data_ptr() if kept.numel() else 0,
    )
