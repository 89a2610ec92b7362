"""Depth-wise convolutions at kept places by the compiled CPU kernel."""

import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels.kept_taps import Taps, convolve_kept, taps_scratch_bytes
from rsmamba.ops.cpu_kernels.packing import pack
from rsmamba.ops.cpu_kernels.plan import LOT, num_blocks, with_dense_rows
from rsmamba.ops.cpu_kernels.threads import run_tasks, scratch_address

_TOKENS = (0,) * LOT


def compiled_kept_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, neighbours: Tensor
) -> Tensor:
    """Convolve at kept places, without gradients.

    Args:
        x: Values of the kept places, (B, n, D), on the CPU; D a multiple of 16.
        weight: Kernels, (D, 1, ...), with as many taps.
        bias: Added to each channel, (D,), or None.
        neighbours: Number of the kept pixel under each weight, or -1, int32 (B, n, taps), or
            (1, n, taps) for all images.

    Returns:
        Values of the kept places with shape and dtype of `x`.
    """
    rows, table = with_dense_rows(x.float()), neighbours.to(torch.int32).contiguous()
    batch, tokens, channels = rows.shape
    weights = pack(weight.float().flatten(1).unsqueeze(0))
    zeros = torch.zeros(channels)
    added = zeros if bias is None else bias.float().contiguous()
    y = torch.empty(batch, tokens, channels)
    plan = Taps(
        tokens=tokens,
        lots=-(-tokens // LOT),
        blocks=num_blocks(channels),
        taps=weights.shape[2],
        neighbours=table.data_ptr(),
        neighbours_batch=0 if table.shape[0] == 1 else 4 * table.stride(0),
        x=rows.data_ptr(),
        x_batch=4 * rows.stride(0),
        x_token=4 * rows.stride(1),
        zeros=zeros.data_ptr(),
        weight=weights.data_ptr(),
        bias=added.data_ptr(),
        y=y.data_ptr(),
    )

    def run(first: int, last: int) -> None:
        scratch = scratch_address(taps_scratch_bytes(plan.taps))
        convolve_kept(plan, first, last, scratch, _TOKENS)

    run_tasks(run, batch * plan.lots)
    return y.to(x.dtype)
