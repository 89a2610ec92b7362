"""Parameters of a scan in the order in which kernels read them: blocks of 16 channels, lanes last.

Symbols: K paths, D channels, M values of a channel (N states or R factors of the step size).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels.compiling import kernel
from rsmamba.ops.cpu_kernels.emit import LANES, LOG2_E, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.plan import num_blocks
from rsmamba.ops.cpu_kernels.vectors import gather, store, times_log2_e

Parts = Tensor | Sequence[Tensor]
"""A parameter, or pieces of it along the paths, which then need not be joined first."""


class Parameters(NamedTuple):
    """The parameters of a scan, packed for blocks of 16 channels.

    Attributes:
        A2: A / log(2), (K, blocks, N, 16).
        dt_weight: Step-size projection, (K, blocks, R, 16), or empty.
        dt_bias: Bias of the step size, (K, blocks, 16).
        D: Skip terms, (K, blocks, 16).
    """

    A2: Tensor
    dt_weight: Tensor
    dt_bias: Tensor
    D: Tensor


def pack_parameters(
    A: Parts, *, D: Parts | None, dt_bias: Parts | None, dt_weight: Parts | None = None
) -> Parameters:
    """Pack the parameters of a scan.

    Args:
        A: State decay rates, (K, D, N).
        D: Skip terms, (K, D), or None.
        dt_bias: Bias of the step size, (K, D), or None.
        dt_weight: Step-size projection, (K, D, R), or None.

    Returns:
        The packed parameters, zeros for those that are absent.
    """
    A2 = pack(A, to_base_2=True)
    none = A2.new_zeros((*A2.shape[:2], LANES)) if D is None or dt_bias is None else A2
    return Parameters(
        A2=A2,
        dt_weight=A2[:, :, :0] if dt_weight is None else pack(dt_weight),
        dt_bias=none if dt_bias is None else pack(dt_bias),
        D=none if D is None else pack(D),
    )


def pack(parameter: Parts, *, to_base_2: bool = False) -> Tensor:
    """Cut the channels of a parameter into zero-padded blocks of 16, lanes last.

    Args:
        parameter: float32 values for each path and channel, (K, D) or (K, D, M), on the CPU;
            several tensors count as one, joined along the paths.
        to_base_2: Divide by log(2).

    Returns:
        (K, blocks, 16) or (K, blocks, M, 16), contiguous; the parameter itself where it lies
        so already.
    """
    parts = (parameter,) if isinstance(parameter, Tensor) else tuple(parameter)
    channels = parts[0].shape[1]
    if parts[0].dim() == 3 and channels % LANES == 0:
        return _transposed(parts, to_base_2=to_base_2)
    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    if channels % LANES:
        missing = whole.new_zeros((whole.shape[0], -channels % LANES, *whole.shape[2:]))
        whole = torch.cat((whole, missing), dim=1)
    if whole.dim() == 3:
        return _transposed((whole,), to_base_2=to_base_2)
    scaled = whole * LOG2_E if to_base_2 else whole
    return scaled.reshape(whole.shape[0], num_blocks(channels), LANES).contiguous()


def unpack(packed: Tensor, channels: int) -> Tensor:
    """Undo `pack`.

    Args:
        packed: (K, blocks, 16) or (K, blocks, M, 16).
        channels: Channels D without padding.

    Returns:
        (K, D) or (K, D, M).
    """
    split = packed.movedim(-1, 2)
    flat = split.reshape(split.shape[0], split.shape[1] * LANES, *split.shape[3:])
    return flat[:, :channels].contiguous()


def _transposed(parts: Sequence[Tensor], *, to_base_2: bool) -> Tensor:
    """Turn tensors (K, D, M), D a multiple of 16, into one (sum of K, blocks, M, 16)."""
    _, channels, size = parts[0].shape
    packed = torch.empty(sum(part.shape[0] for part in parts), channels // LANES, size, LANES)
    target = packed.data_ptr()
    for part in parts:
        rows = part.contiguous()
        _pack_blocks(rows.data_ptr(), target, rows.numel() // (LANES * size), size, int(to_base_2))
        target += rows.nbytes
    return packed


@kernel
def _pack_blocks(source: Any, target: Any, blocks: Any, size: Any, to_base_2: Any) -> None:
    """Turn each block of 16 rows of `size` numbers into `size` rows of 16."""
    for block in range(blocks):
        for column in range(size):
            value = gather(source + (block * LANES * size + column) * 4, 4 * size)
            if to_base_2 != 0:
                value = times_log2_e(value)
            store(target + (block * size + column) * VECTOR_BYTES, value)
