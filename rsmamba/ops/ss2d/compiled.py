"""SS2D by the compiled CPU kernels: pixels are visited in scan order, no sequence is built."""

import functools

import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels.packing import Parameters, pack_parameters
from rsmamba.ops.cpu_kernels.plan import Gradients, Rows, Scan, num_blocks
from rsmamba.ops.cpu_kernels.run import (
    kept_shape,
    num_slots,
    parameter_gradients,
    run_backward,
    run_forward,
    total,
    zero_sums,
)
from rsmamba.ops.scan_paths import ScanPaths, scan_orders
from rsmamba.ops.ss2d.inputs import Ss2dInputs


def compiled_forward(
    inputs: Ss2dInputs, *, paths: ScanPaths, keep_states: bool
) -> tuple[Tensor, Tensor]:
    """Run the scan.

    Args:
        inputs: The tensors of the scan.
        paths: Name of the set of scan paths.
        keep_states: Whether to return the states that the backward needs.

    Returns:
        Outputs (B, H, W, D), and the state before each chunk, (B, K, chunks, blocks, N, 16) with
        zero chunks if `keep_states` is false.
    """
    inputs = _with_pixel_rows(inputs)
    batch, height, width, _ = inputs.x.shape
    parameters = _pack(inputs)
    y = torch.empty(inputs.x.shape)
    kept = torch.empty(kept_shape(batch, height * width, inputs.A.shape, keep=keep_states))
    scan = _scan(inputs, parameters, kept, paths=paths)
    run_forward(scan, _map_rows(y), batch)
    return y, kept


def compiled_backward(
    dy: Tensor, inputs: Ss2dInputs, *, states: Tensor, paths: ScanPaths
) -> Ss2dInputs:
    """Compute all gradients.

    Args:
        dy: Gradient of the outputs, (B, H, W, D).
        inputs: The tensors of the scan.
        states: What `compiled_forward` kept.
        paths: As given to `compiled_forward`.

    Returns:
        The gradients of all inputs.
    """
    inputs, dy = _with_pixel_rows(inputs), dy.contiguous()
    parameters = _pack(inputs)
    batch, _, _, channels = inputs.x.shape
    slots = num_slots(batch, num_blocks(channels), slot_bytes=4 * inputs.projections.numel())
    dx = torch.empty(inputs.x.shape)
    d_projections = torch.empty((slots, *inputs.projections.shape))
    factors, B, C = _projection_rows(d_projections.flatten(0, 1), inputs)
    sums = zero_sums(parameters, batch)
    grads = Gradients(
        dy=_map_rows(dy),
        x=_map_rows(dx),
        steps=factors,
        B=B,
        C=C,
        A=sums.A.data_ptr(),
        dt_weight=sums.dt_weight.data_ptr(),
        dt_bias=sums.dt_bias.data_ptr(),
        D=sums.D.data_ptr(),
    )
    run_backward(_scan(inputs, parameters, states, paths=paths), grads, batch=batch, slots=slots)
    parts = parameter_gradients(sums, channels)
    return Ss2dInputs(
        dx, total(d_projections), parts.dt_weight, parts.dt_bias, A=parts.A, D=parts.D
    )


def _with_pixel_rows(inputs: Ss2dInputs) -> Ss2dInputs:
    """Return the inputs with maps whose pixels follow each other in memory."""
    return inputs._replace(x=inputs.x.contiguous(), projections=inputs.projections.contiguous())


def _pack(inputs: Ss2dInputs) -> Parameters:
    """Pack the parameters."""
    return pack_parameters(inputs.A, D=inputs.D, dt_bias=inputs.dt_bias, dt_weight=inputs.dt_weight)


def _map_rows(tensor: Tensor) -> Rows:
    """Describe the rows of a contiguous map (B, H, W, D), the same for all paths."""
    batch, _, pixel, _ = (4 * stride for stride in tensor.stride())
    return Rows(tensor.data_ptr(), batch, 0, pixel)


def _projection_rows(projections: Tensor, inputs: Ss2dInputs) -> tuple[Rows, Rows, Rows]:
    """Describe the rows of the factors, of B and of C in contiguous (B, H, W, K, R + 2N)."""
    rank, states = inputs.dt_weight.shape[2], inputs.A.shape[2]
    batch, _, pixel, path, _ = (4 * stride for stride in projections.stride())
    starts = (0, rank, rank + states)
    factors, B, C = (
        Rows(projections.data_ptr() + 4 * start, batch, path, pixel) for start in starts
    )
    return factors, B, C


def _scan(inputs: Ss2dInputs, parameters: Parameters, kept: Tensor, *, paths: ScanPaths) -> Scan:
    """Describe the scan to the kernels; the tensors must outlive the call."""
    _, height, width, channels = inputs.x.shape
    factors, B, C = _projection_rows(inputs.projections, inputs)
    return Scan(
        length=height * width,
        channels=channels,
        states=inputs.A.shape[2],
        rank=inputs.dt_weight.shape[2],
        softplus=1,
        paths=inputs.A.shape[0],
        summed=1,
        order=_order_table(paths, height, width).data_ptr(),
        x=_map_rows(inputs.x),
        steps=factors,
        B=B,
        C=C,
        A2=parameters.A2.data_ptr(),
        dt_weight=parameters.dt_weight.data_ptr(),
        dt_bias=parameters.dt_bias.data_ptr(),
        D=parameters.D.data_ptr(),
        kept=kept.data_ptr() if kept.numel() else 0,
    )


@functools.lru_cache(maxsize=32)
def _order_table(paths: ScanPaths, height: int, width: int) -> Tensor:
    """Return the order table that kernels read, int32, (K, L); the cache keeps it alive."""
    return scan_orders(paths, height, width).order.to(torch.int32).contiguous()
