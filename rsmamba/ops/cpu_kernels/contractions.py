"""Sums over channels: the gradients of B, C and the factors of the step size.

What channels add up to is gathered in vectors of 16 lanes, a vector for each token and number, and
the lanes are added once all channels are in. `pixels` is the address of the pixels of the tokens of
a chunk.
"""

from typing import Any

from rsmamba.ops.cpu_kernels.compiling import part
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.plan import CHUNK
from rsmamba.ops.cpu_kernels.rows import row_address
from rsmamba.ops.cpu_kernels.vectors import (
    broadcast,
    copy_floats,
    fma,
    load,
    load_int64,
    store,
    store_lane_sums,
    zero,
)


@part
def _reduce(vectors: Any, count: Any, sums: Any) -> None:
    """Write the lane sums of `count` vectors, rounded up to a multiple of 16."""
    for index in range(0, count, LANES):
        store_lane_sums(sums + index * 4, vectors + index * VECTOR_BYTES)


@part
def _scatter(
    rows: Any,
    batch: Any,
    path: Any,
    tokens: Any,
    pixels: Any,
    sums: Any,
    size: Any,
    stride: Any,
) -> None:
    """Write a row of `size` sums for each token; the sums of tokens are `stride` apart."""
    base = row_address(rows, batch, path, 0)
    for token in range(tokens):
        target = base + load_int64(pixels + token * 8) * rows.pixel
        source = sums + 4 * token * stride
        whole = size - size % 8
        for index in range(0, whole, 8):  # a fixed count becomes one instruction
            copy_floats(target + 4 * index, source + 4 * index, 8)
        for index in range(whole, size):
            copy_floats(target + 4 * index, source + 4 * index, 1)


@part
def reduce_lot(vectors: Any, token: Any, states: Any, sums: Any, lot: Any) -> None:
    """Add the lanes of the vectors of a lot, or of two lots where one has not a multiple of 16."""
    together = 1 + states % 2
    count = 2 * states * len(lot)
    if token // len(lot) % together == 0:
        _reduce(vectors, together * count, sums + 4 * (token // len(lot)) * count)


@part
def lot_vectors(vectors: Any, token: Any, states: Any, lot: Any) -> Any:
    """Return where a lot is gathered: state after state, dB and dC of each token."""
    half = token // len(lot) % (1 + states % 2)
    return vectors + 2 * half * states * len(lot) * VECTOR_BYTES


@part
def write_rows(
    scan: Any, grads: Any, task: Any, path: Any, tokens: Any, pixels: Any, sums: Any, lot: Any
) -> None:
    """Write the gradients of B and C of a chunk from the sums of its lots."""
    to_B = row_address(grads.B, task.slot, path, 0)
    to_C = row_address(grads.C, task.slot, path, 0)
    for token in range(tokens):
        pixel = load_int64(pixels + token * 8)
        row_B, row_C = to_B + pixel * grads.B.pixel, to_C + pixel * grads.C.pixel
        of_lot = token // len(lot) * scan.states * len(lot)
        source = sums + 8 * (of_lot + token % len(lot))
        for n in range(scan.states):
            copy_floats(row_B + 4 * n, source + 8 * n * len(lot), 1)
            copy_floats(row_C + 4 * n, source + 8 * n * len(lot) + 4, 1)


@part
def write_factors(
    scan: Any,
    grads: Any,
    task: Any,
    path: Any,
    tokens: Any,
    scratch: Any,
    factors: Any,
    sums: Any,
    steps: Any,
) -> None:
    """Contract the gradients of the step sizes to those of the projection and of its factors."""
    blocks = (scan.channels + LANES - 1) // LANES
    base = row_address(scan.steps, task.batch, path, 0)
    for block in range(task.first_block, task.last_block):
        index = ((task.batch * scan.paths + path) * blocks + block) * scan.rank
        block_steps = steps + (block - task.first_block) * CHUNK * VECTOR_BYTES
        _add_weights(scan, base, scratch, block_steps, grads.dt_weight + index * VECTOR_BYTES)
    weights = scan.dt_weight + (path * blocks + task.first_block) * scan.rank * VECTOR_BYTES
    count = task.last_block - task.first_block
    for token in range(0, tokens, 4):
        for r in range(scan.rank):
            sum0, sum1, sum2, sum3 = zero(), zero(), zero(), zero()
            for index in range(count):
                weight = load(weights + (index * scan.rank + r) * VECTOR_BYTES)
                place = steps + (index * CHUNK + token) * VECTOR_BYTES
                sum0 = fma(weight, load(place), sum0)
                sum1 = fma(weight, load(place + VECTOR_BYTES), sum1)
                sum2 = fma(weight, load(place + 2 * VECTOR_BYTES), sum2)
                sum3 = fma(weight, load(place + 3 * VECTOR_BYTES), sum3)
            target = factors + (token * scan.rank + r) * VECTOR_BYTES
            store(target, sum0)
            store(target + scan.rank * VECTOR_BYTES, sum1)
            store(target + 2 * scan.rank * VECTOR_BYTES, sum2)
            store(target + 3 * scan.rank * VECTOR_BYTES, sum3)
    _reduce(factors, tokens * scan.rank, sums)
    _scatter(grads.steps, task.slot, path, tokens, scratch, sums, scan.rank, scan.rank)


@part
def _add_weights(scan: Any, base: Any, pixels: Any, steps: Any, target: Any) -> None:
    """Add one chunk to the gradient of the step-size projection of a block."""
    for token in range(0, CHUNK, 4):
        row0 = base + load_int64(pixels + token * 8) * scan.steps.pixel
        row1 = base + load_int64(pixels + token * 8 + 8) * scan.steps.pixel
        row2 = base + load_int64(pixels + token * 8 + 16) * scan.steps.pixel
        row3 = base + load_int64(pixels + token * 8 + 24) * scan.steps.pixel
        place = steps + token * VECTOR_BYTES
        step0, step1 = load(place), load(place + VECTOR_BYTES)
        step2, step3 = load(place + 2 * VECTOR_BYTES), load(place + 3 * VECTOR_BYTES)
        for r in range(scan.rank):
            total = fma(broadcast(row0 + 4 * r), step0, load(target + r * VECTOR_BYTES))
            total = fma(broadcast(row1 + 4 * r), step1, total)
            total = fma(broadcast(row2 + 4 * r), step2, total)
            total = fma(broadcast(row3 + 4 * r), step3, total)
            store(target + r * VECTOR_BYTES, total)
