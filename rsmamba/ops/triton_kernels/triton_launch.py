"""From tensors to launches: strides, grids, memory for partial results, sums in a fixed order.

Symbols: batch, K sequences (scan paths), L tokens, D channels, N states, R rank of the step size.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from rsmamba.ops.triton_kernels.plan import (
    BACKWARD,
    CARRY_CHANNELS,
    CARRY_TILES,
    FORWARD,
    Tiling,
    kept_shape,
)
from rsmamba.ops.triton_kernels.triton_backward import gradients_kernel, tile_states_kernel
from rsmamba.ops.triton_kernels.triton_carry import carry_kernel
from rsmamba.ops.triton_kernels.triton_forward import outputs_kernel, tile_ends_kernel

_OPTIONS = {"num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}


class Scan(NamedTuple):
    """A scan: contiguous tensors, but for rows that share their memory.

    Attributes:
        x: Inputs of each sequence, (batch, K, L, D), or of each pixel for all, (batch, L, D).
        steps: Step sizes, (batch, K, L, D), or their R factors, beside B and C.
        B: Input terms of each token, (batch, K, L, N).
        C: Output terms, (batch, K, L, N).
        row: Numbers from the terms of one token to those of the next, N where they lie alone.
        order: Pixel of each token, int32, (K, L), or None if x has sequences.
        A2: A / log(2), float32, (K, N, D).
        dt_weight: Step-size projection, float32, (K, R, D), or None if `steps` holds step sizes.
        dt_bias: Bias of the step size, float32, (K, D).
        skip: Skip terms, float32, (K, D).
        softplus: Whether the step size passes through a softplus.
    """

    x: Tensor
    steps: Tensor
    B: Tensor
    C: Tensor
    row: int
    order: Tensor | None
    A2: Tensor
    dt_weight: Tensor | None
    dt_bias: Tensor
    skip: Tensor
    softplus: bool

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Batch, K, L and D."""
        paths, _, channels = self.A2.shape
        return self.x.shape[0], paths, self.x.shape[-2], channels


class Gradients(NamedTuple):
    """What a backward returns.

    Attributes:
        x: Of the inputs of each sequence, at their pixels if x has pixels, (batch, K, L, D).
        steps: Of the step sizes before bias and softplus, (batch, K, L, D).
        B: Of the input terms, float32, (batch, K, L, N).
        C: Of the output terms, float32, (batch, K, L, N).
        A: (K, D, N).
        dt_bias: (K, D).
        skip: (K, D).
    """

    x: Tensor
    steps: Tensor
    B: Tensor
    C: Tensor
    A: Tensor
    dt_bias: Tensor
    skip: Tensor


def pack(A: Tensor, *, D: Tensor | None, dt_bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Lay out the parameters for the kernels.

    Args:
        A: State decay rates, (K, D, N).
        D: Skip terms, (K, D), or None.
        dt_bias: Bias of the step size, (K, D), or None.

    Returns:
        A / log(2) as (K, N, D), skip terms and bias, float32.
    """
    zeros = torch.zeros(A.shape[:2], device=A.device) if D is None or dt_bias is None else A
    A2 = (A.float() * math.log2(math.e)).transpose(1, 2).contiguous()
    skip, bias = (zeros if part is None else part.float().contiguous() for part in (D, dt_bias))
    return A2, skip, bias


def run_forward(
    scan: Scan, *, keep_states: bool, dtype: torch.dtype, tiling: Tiling = FORWARD
) -> tuple[Tensor, Tensor]:
    """Run a scan.

    Args:
        scan: What to scan.
        keep_states: Whether to return the states that the backward needs.
        dtype: Type of the outputs.
        tiling: The share of one program.

    Returns:
        Outputs of each sequence at their pixels, (batch, K, L, D), and the state before each chunk
        but the first, float32, (batch, K, chunks - 1, N, D), with no chunk without `keep_states`.
    """
    batch, paths, length, channels = scan.shape
    states = scan.A2.shape[1]
    tiles, blocks = tiling.num_tiles(length), tiling.num_blocks(channels)
    ends = _float_buffer(scan, batch, paths, tiles, states, channels)
    sums = _float_buffer(scan, batch, paths, tiles, channels)
    y = torch.empty((batch, paths, length, channels), dtype=dtype, device=scan.x.device)
    grid = (tiles * blocks, batch * paths)
    sizes, constants = _sizes(scan, tiles), _constants(scan, tiling)
    x, steps, B, C, order, weight = _inputs(scan)
    with torch.cuda.device_of(scan.x):
        tile_ends_kernel[grid](
            x, steps, B, order, weight, scan.dt_bias, scan.A2, ends, sums, *sizes, **constants
        )
        _carry(ends, sums, scan, reverse=False)
        outputs_kernel[grid](
            *(x, steps, B, C, order, weight, scan.dt_bias, scan.skip, scan.A2, ends, y),
            *sizes,
            **constants,
        )
    shape = kept_shape(
        batch, length, (paths, channels, states), keep=keep_states, chunk=tiling.chunk
    )
    step = tiling.tiles_per_chunk
    return y, ends[:, :, step - 1 :: step][:, :, : shape[2]].clone()


def run_backward(
    scan: Scan, dy: Tensor, kept: Tensor, *, dtypes: tuple[torch.dtype, torch.dtype],
    tiling: Tiling = BACKWARD,
) -> Gradients:  # fmt: skip
    """Compute the gradients of a scan.

    Args:
        scan: As given to `run_forward`.
        dy: Gradient of the outputs, contiguous, with the shape of `scan.x`.
        kept: What `run_forward` kept.
        dtypes: Types of the gradients of the inputs and of the step sizes.
        tiling: The share of one program; its chunk must be that of the forward.

    Returns:
        The gradients.
    """
    batch, paths, length, channels = scan.shape
    states = scan.A2.shape[1]
    tiles, blocks = tiling.num_tiles(length), tiling.num_blocks(channels)
    starts, sent = (_float_buffer(scan, batch, paths, tiles, states, channels) for _ in range(2))
    sums, d_bias, d_skip = (_float_buffer(scan, batch, paths, tiles, channels) for _ in range(3))
    dB, dC = (_float_buffer(scan, blocks, batch, paths, length, states) for _ in range(2))
    shape, device = (batch, paths, length, channels), scan.x.device
    dx, d_steps = (torch.empty(shape, dtype=dtype, device=device) for dtype in dtypes)
    sizes, constants = _sizes(scan, tiles), _constants(scan, tiling)
    x, steps, B, C, order, weight = _inputs(scan)
    parameters = (order, weight, scan.dt_bias)
    chunks = -(-tiles // tiling.tiles_per_chunk)
    num_kept, kept_or_any = kept.shape[2], kept if kept.numel() else starts
    with torch.cuda.device_of(scan.x):
        tile_states_kernel[chunks * blocks, batch * paths](
            *(x, steps, B, C, dy, *parameters, scan.A2, kept_or_any, starts, sent, sums),
            *(*sizes, num_kept),
            TILES=tiling.tiles_per_chunk,
            **constants,
        )
        _carry(sent, sums, scan, reverse=True)
        gradients_kernel[tiles * blocks, batch * paths](
            *(x, steps, B, C, dy, *parameters, scan.skip, scan.A2, starts, sent),
            *(dx, d_steps, dB, dC, d_bias, d_skip),
            *(*sizes, batch * paths, channels),
            **constants,
        )
    dA = starts.sum((0, 2)).transpose(1, 2).contiguous()  # (K, D, N)
    sums_over = (dB.sum(0), dC.sum(0), dA, d_bias.sum((0, 2)), d_skip.sum((0, 2)))
    return Gradients(dx, d_steps, *sums_over)


def _carry(ends: Tensor, sums: Tensor, scan: Scan, *, reverse: bool) -> None:
    """Join the tiles."""
    batch, paths, tiles, states, channels = ends.shape
    rows = min(CARRY_TILES, 1 << (tiles - 1).bit_length())
    blocks = -(-channels // CARRY_CHANNELS)
    carry_kernel[blocks * states, batch * paths](
        *(ends, sums, scan.A2, tiles, channels, paths),
        N=states,
        REVERSE=reverse,
        TILES=rows,
        BLOCK=CARRY_CHANNELS,
        num_warps=4,
        enable_fp_fusion=True,
    )


def _inputs(scan: Scan) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the inputs; those that are absent are never read, and any address will do."""
    order = scan.A2 if scan.order is None else scan.order
    weight = scan.A2 if scan.dt_weight is None else scan.dt_weight
    return scan.x, scan.steps, scan.B, scan.C, order, weight


def _sizes(scan: Scan, tiles: int) -> tuple[int, int, int, int]:
    """Return L, D, K and the number of tiles."""
    _, paths, length, channels = scan.shape
    return length, channels, paths, tiles


def _constants(scan: Scan, tiling: Tiling) -> dict[str, int | bool]:
    """Return what kernels are compiled for."""
    rank = 0 if scan.dt_weight is None else scan.dt_weight.shape[1]
    return {
        "N": scan.A2.shape[1],
        "RANK": rank,
        "ROW": scan.row,
        "ORDERED": scan.order is not None,
        "SOFTPLUS": scan.softplus,
        "T": tiling.tokens,
        "BLOCK": tiling.channels,
        **_OPTIONS,
    }


def _float_buffer(scan: Scan, *shape: int) -> Tensor:
    """Return uninitialised float32 memory on the device of the scan."""
    return torch.empty(shape, dtype=torch.float32, device=scan.x.device)
