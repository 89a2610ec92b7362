"""What a kernel is told: addresses, strides and sizes of one scan.

Kernels see no arrays. A `Rows` says where the row of numbers of one (batch, path, pixel) begins;
parameters are packed for blocks of 16 channels. Addresses and strides are in bytes; an address of
0 means "absent". The selective scan on sequences and the fused scan on maps are the same kernel
with different strides.
"""

from typing import NamedTuple

from torch import Tensor

from rsmamba.ops.cpu_kernels.emit import LANES

CHUNK = 64
"""Tokens of a chunk; the state is kept once for each."""

LOT = 4
"""Tokens that pass together."""


class Rows(NamedTuple):
    """Where rows of numbers lie.

    Attributes:
        address: Of the row of batch 0, path 0, pixel 0.
        batch: Bytes from one batch item to the next.
        path: Bytes from one path to the next.
        pixel: Bytes from one pixel to the next.
    """

    address: int
    batch: int
    path: int
    pixel: int


class Scan(NamedTuple):
    """A scan, its inputs and its packed parameters.

    Attributes:
        length: Tokens L.
        channels: Channels D.
        states: States N of each channel.
        rank: Rank R of the step size, or 0 if `steps` holds whole step sizes.
        softplus: 1 if step sizes pass through a softplus, else 0.
        paths: Number K of paths.
        summed: 1 if all paths write to the same rows of y and are summed there, else 0.
        order: Pixel of each token, int32 (K, L), or 0 if pixel and token are the same.
        x: Rows of D inputs.
        steps: Rows of R factors of the step size, or of D step sizes.
        B: Rows of N input terms.
        C: Rows of N output terms.
        A2: A / log(2), (K, blocks, N, 16).
        dt_weight: Step-size projection, (K, blocks, R, 16).
        dt_bias: Bias of the step size, (K, blocks, 16).
        D: Skip terms, (K, blocks, 16).
        kept: State before each chunk, (batch, K, chunks, blocks, N, 16), or 0.
        order_batch: Bytes from the order of one batch item to that of the next; 0 if shared.
        gaps: Tokens that were dropped before each one, float32 (batch, K, L), or 0. Only the
            forward knows them.
        idle: Step sizes that dropped tokens have, (K, blocks, 16).
        shared: 1 if all paths have the parameters of the first, which alone are packed. Only the
            forward knows it.
    """

    length: int
    channels: int
    states: int
    rank: int
    softplus: int
    paths: int
    summed: int
    order: int
    x: Rows
    steps: Rows
    B: Rows
    C: Rows
    A2: int
    dt_weight: int
    dt_bias: int
    D: int
    kept: int
    order_batch: int = 0
    gaps: int = 0
    idle: int = 0
    shared: int = 0


class Gradients(NamedTuple):
    """Where the gradients of a scan lie.

    Attributes:
        dy: Rows of D gradients of the outputs.
        x: Rows of D gradients of the inputs.
        steps: Rows of R or D gradients of the step-size rows.
        B: Rows of N gradients.
        C: Rows of N gradients.
        A: Sums over tokens for each batch item, (batch, K, blocks, N, 16).
        dt_weight: The same, (batch, K, blocks, R, 16), zero at the start.
        dt_bias: The same, (batch, K, blocks, 16), zero at the start.
        D: The same, (batch, K, blocks, 16), zero at the start.
    """

    dy: Rows
    x: Rows
    steps: Rows
    B: Rows
    C: Rows
    A: int
    dt_weight: int
    dt_bias: int
    D: int


class Task(NamedTuple):
    """The share of one kernel call: some paths and some blocks of channels of one batch item.

    Attributes:
        batch: Batch item.
        first_path: First path.
        last_path: Path after the last.
        first_block: First block of 16 channels.
        last_block: Block after the last.
        slot: Batch item of the rows of B, C and factors that the backward fills; where several
            tasks share a batch item, each has a slot of its own and the slots are added later.
    """

    batch: int
    first_path: int
    last_path: int
    first_block: int
    last_block: int
    slot: int


class Cut(NamedTuple):
    """How a scan is cut into tasks, which are numbered.

    Attributes:
        batch: Batch items.
        groups: Groups into which the paths are cut: all of them together, or one by one.
        pieces: Pieces into which the blocks of channels are cut.
    """

    batch: int
    groups: int
    pieces: int

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return self.batch * self.groups * self.pieces


def num_blocks(channels: int) -> int:
    """Return the number of blocks of 16 channels."""
    return -(-channels // LANES)


def num_chunks(length: int) -> int:
    """Return the number of chunks of a sequence."""
    return -(-length // CHUNK)


def sequence_rows(tensor: Tensor) -> Rows:
    """Describe rows of sequences.

    Args:
        tensor: float32 of shape (batch, K, L, row), last axis contiguous.

    Returns:
        Where its rows lie.
    """
    batch, path, token, _ = (4 * stride for stride in tensor.stride())
    return Rows(tensor.data_ptr(), batch, path, token)


def with_dense_rows(tensor: Tensor) -> Tensor:
    """Return the tensor, copied if the numbers of a row do not lie side by side."""
    dense = tensor.shape[-1] == 1 or tensor.stride(-1) == 1
    return tensor if dense else tensor.contiguous()
