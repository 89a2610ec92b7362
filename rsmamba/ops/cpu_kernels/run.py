"""Cut a scan into tasks and run them.

The forward may be cut anywhere, since channels do not meet. The backward sums over channels, so its
cut depends on the sizes alone and never on the number of threads: the same inputs give the same
bits on any machine of one kind.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels.backward import backward_scratch_bytes, scan_backward
from rsmamba.ops.cpu_kernels.emit import LANES
from rsmamba.ops.cpu_kernels.forward import forward_scratch_bytes, scan_forward
from rsmamba.ops.cpu_kernels.packing import Parameters, unpack
from rsmamba.ops.cpu_kernels.plan import (
    LOT,
    Cut,
    Gradients,
    Rows,
    Scan,
    num_blocks,
    num_chunks,
)
from rsmamba.ops.cpu_kernels.threads import run_tasks, scratch_address

_TOKENS = (0,) * LOT  # kernels take the number of tokens as the length of a tuple
_MOST_TASKS = 8  # backward tasks wanted, where memory allows
_FEWEST_BLOCKS = 4  # of a task, since reducing what blocks share costs as much as one block
_SLOT_BUDGET_BYTES = 24 * 2**20


class Sums(NamedTuple):
    """Gradients of the packed parameters, one for each batch item.

    Attributes:
        A: (batch, K, blocks, N, 16).
        dt_weight: (batch, K, blocks, R, 16).
        dt_bias: (batch, K, blocks, 16).
        D: (batch, K, blocks, 16).
    """

    A: Tensor
    dt_weight: Tensor
    dt_bias: Tensor
    D: Tensor


def kept_shape(
    batch: int, length: int, A: torch.Size, *, keep: bool
) -> tuple[int, int, int, int, int, int]:
    """Return the shape of the states that a forward keeps, (batch, K, chunks, blocks, N, 16)."""
    paths, channels, states = A
    chunks = num_chunks(length) if keep else 0
    return batch, paths, chunks, num_blocks(channels), states, LANES


def run_forward(scan: Scan, y: Rows, batch: int) -> None:
    """Run the forward of all batch items, paths and channels.

    Args:
        scan: What to compute.
        y: Where the outputs go.
        batch: Number of batch items.
    """
    blocks = num_blocks(scan.channels)
    groups = 1 if scan.summed else scan.paths
    threads = torch.get_num_threads()
    pieces = 1 if threads == 1 else min(blocks, -(-2 * threads // (batch * groups)))
    cut = Cut(batch, groups, pieces)
    widest = -(-blocks // pieces)

    def run(first: int, last: int) -> None:
        scratch = scratch_address(forward_scratch_bytes(widest, scan.states))
        scan_forward(scan, y, cut, first, last, scratch, _TOKENS)

    run_tasks(run, cut.tasks)


def num_slots(scan_items: int, blocks: int, *, slot_bytes: int) -> int:
    """Return into how many slots the sums over channels of one item are cut.

    Args:
        scan_items: Tasks there are without cutting channels.
        blocks: Blocks of 16 channels.
        slot_bytes: Memory of one slot for all items.

    Returns:
        At least 1; more where there are few tasks and memory allows.
    """
    affordable = _SLOT_BUDGET_BYTES // max(1, slot_bytes)
    return max(1, min(blocks // _FEWEST_BLOCKS, -(-_MOST_TASKS // scan_items), affordable))


def run_backward(scan: Scan, grads: Gradients, *, batch: int, slots: int) -> None:
    """Run the backward of all batch items, paths and channels.

    Args:
        scan: What was computed, with the kept states.
        grads: Where gradients are and go.
        batch: Number of batch items.
        slots: Pieces into which the channels are cut.
    """
    cut = Cut(batch, 1 if scan.summed else scan.paths, slots)
    blocks = -(-num_blocks(scan.channels) // slots)
    size = backward_scratch_bytes(blocks=blocks, states=scan.states, rank=scan.rank)

    def run(first: int, last: int) -> None:
        scan_backward(scan, grads, cut, first, last, scratch_address(size), _TOKENS)

    run_tasks(run, cut.tasks)


def zero_sums(parameters: Parameters, batch: int) -> Sums:
    """Return zeros for the gradients of the parameters of each batch item."""
    return Sums(*(tensor.new_zeros((batch, *tensor.shape)) for tensor in parameters))


def total(stacked: Tensor) -> Tensor:
    """Sum over the first axis, one after the other, so that threads cannot change the bits."""
    result = stacked[0].clone() if stacked.shape[0] == 1 else stacked[0] + stacked[1]
    for other in stacked[2:]:
        result += other
    return result


def parameter_gradients(sums: Sums, channels: int) -> Sums:
    """Sum the gradients of the parameters over batch items and undo the packing.

    Args:
        sums: Gradients of the packed parameters for each batch item.
        channels: Channels D.

    Returns:
        Gradients of A (K, D, N), dt_weight (K, D, R), dt_bias (K, D) and D (K, D).
    """
    return Sums(*(unpack(total(tensor), channels) for tensor in sums))
