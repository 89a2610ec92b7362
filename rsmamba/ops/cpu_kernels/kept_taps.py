"""The kernel of a depth-wise convolution at some places of a map or sequence only.

Tokens pass in lots of a few. Once for a lot, the addresses of what lies under each weight of the
kernel are written into a table, without the weights that meet nothing; then the table is read for
all blocks of 16 channels.

Scratch memory: for each weight 4 addresses of rows and that of the weight, in 64 bytes.
"""

from typing import Any, NamedTuple

from rsmamba.ops.cpu_kernels.compiling import kernel, part
from rsmamba.ops.cpu_kernels.emit import VECTOR_BYTES
from rsmamba.ops.cpu_kernels.lots import add_weighted_rows, spread
from rsmamba.ops.cpu_kernels.lots import store_rows as store_lot
from rsmamba.ops.cpu_kernels.vectors import load, load_int32, load_int64, store_int64

_WEIGHT = 56  # where an entry holds the address of its weight, in bytes


class Taps(NamedTuple):
    """A convolution at some pixels; addresses and strides are in bytes.

    Attributes:
        tokens: Kept tokens n of each image.
        lots: Lots of each image.
        blocks: Blocks of 16 channels.
        taps: Weights of each channel.
        neighbours: Kept token under each weight or -1, int32 (n, taps) of each image.
        neighbours_batch: From one image to the next; 0 if they share a table.
        x: Rows of the tokens.
        x_batch: From one image to the next.
        x_token: From one row to the next.
        zeros: A row of zeros.
        weight: Weights, (blocks, taps, 16).
        bias: Bias, (channels,).
        y: Rows of the results, (B, n, channels).
    """

    tokens: int
    lots: int
    blocks: int
    taps: int
    neighbours: int
    neighbours_batch: int
    x: int
    x_batch: int
    x_token: int
    zeros: int
    weight: int
    bias: int
    y: int


def taps_scratch_bytes(taps: int) -> int:
    """Return the scratch memory of a task."""
    return (taps + 2) * VECTOR_BYTES


@kernel
def convolve_kept(plan: Any, first: Any, last: Any, scratch: Any, lot: Any) -> None:
    """Convolve the lots from `first` to before `last`; `lot` is as long as the tokens of one."""
    for index in range(first, last):
        batch = index // plan.lots
        token = index % plan.lots * len(lot)
        count = _tabulate(plan, batch, token, scratch, lot)
        targets = scratch + (plan.taps + 1) * VECTOR_BYTES
        for place in range(len(lot)):
            row = batch * plan.tokens + min(token + place, plan.tokens - 1)
            store_int64(targets + place * 8, plan.y + row * plan.blocks * VECTOR_BYTES)
        # Two blocks at a time share the loads of the addresses.
        for block in range(0, plan.blocks, 2):
            shift = block * VECTOR_BYTES
            other = min(block + 1, plan.blocks - 1) * VECTOR_BYTES
            one = spread(load(plan.bias + shift), lot)
            two = spread(load(plan.bias + other), lot)
            for number in range(count):
                entry = scratch + number * VECTOR_BYTES
                weight = load_int64(entry + _WEIGHT)
                one = add_weighted_rows(one, entry, shift, load(weight + shift * plan.taps))
                two = add_weighted_rows(two, entry, other, load(weight + other * plan.taps))
            store_lot(targets, shift, one)
            store_lot(targets, other, two)


@part
def _tabulate(plan: Any, batch: Any, first: Any, scratch: Any, lot: Any) -> Any:
    """Write the addresses of what a lot meets, and return the number of weights that meet any.

    Places after the last token repeat it.
    """
    count = 0
    rows = plan.x + batch * plan.x_batch
    neighbours = plan.neighbours + batch * plan.neighbours_batch
    for tap in range(plan.taps):
        entry = scratch + count * VECTOR_BYTES
        met = 0
        for place in range(len(lot)):
            token = min(first + place, plan.tokens - 1)
            row = load_int32(neighbours + (token * plan.taps + tap) * 4)
            if row >= 0:
                met = 1
            store_int64(entry + place * 8, rows + row * plan.x_token if row >= 0 else plan.zeros)
        store_int64(entry + _WEIGHT, plan.weight + tap * VECTOR_BYTES)
        count += met
    return count
