"""The backward kernel: some tasks of a scan.

For each path, the chunks from the last to the first, and block after block of 16 channels: steps
and inputs of the chunk, then for each group of states a replay from the kept state and a sweep
back, then the gradients of the block. What every channel adds to (B, C and the factors of the step
size) is summed over the blocks of the task in vectors of 16 lanes and reduced once for each chunk.

Scratch memory, in vectors: 16 for the pixels of a chunk and of the next, 2 spare, 64 each for seven
values of each token, 65 tokens of 2 * width for the replay, 64 tokens of 2 * N for B and C, 64 * R
for the factors, 4 * max(2 * N, R) for lane sums, and for each block 64 for its step sizes and
2 * N for what the sweep carries.
"""

from typing import Any

from rsmamba.ops.cpu_kernels.compiling import kernel, part
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.forward import (
    clear,
    find_task,
    load_lanes,
    locate,
    prefetch_line,
    row_address,
    step_sizes,
    store_lanes,
)
from rsmamba.ops.cpu_kernels.plan import CHUNK
from rsmamba.ops.cpu_kernels.states import load_states, replay, store_states, sweep_back
from rsmamba.ops.cpu_kernels.vectors import (
    add,
    broadcast,
    copy_floats,
    flush_denormals,
    fma,
    load,
    load_int64,
    multiply,
    restore_denormals,
    store,
    store_lane_sums,
    times_ln2,
    zero,
)

_SPARE = 16 * VECTOR_BYTES
_STEPS, _INPUTS, _SLOPES, _X, _DY, _EXPONENTS, _THROUGH_INPUT = (
    _SPARE + (2 + place * CHUNK) * VECTOR_BYTES for place in range(7)
)
_REPLAY = _THROUGH_INPUT + CHUNK * VECTOR_BYTES


def backward_scratch_bytes(*, blocks: int, states: int, rank: int, width: int) -> int:
    """Return the scratch memory of a task.

    Args:
        blocks: Blocks of channels of the task.
        states: States N.
        rank: Rank R of the step size, 0 if it is given whole.
        width: States that pass together.

    Returns:
        Bytes.
    """
    chunk = (CHUNK + 1) * 2 * width + CHUNK * (2 * states + rank) + 4 * max(2 * states, rank)
    return _REPLAY + (chunk + blocks * (CHUNK + 2 * states)) * VECTOR_BYTES


@kernel
def scan_backward(
    scan: Any,
    grads: Any,
    cut: Any,
    first: Any,
    last: Any,
    scratch: Any,
    width: Any,
    lot: Any,
) -> None:
    """Run the tasks from `first` to before `last`; `width` and `lot` as in the forward."""
    before = flush_denormals()
    for index in range(first, last):
        _scan_paths(scan, grads, find_task(scan, cut, index), scratch, width, lot)
    restore_denormals(before)


@part
def _scan_paths(scan: Any, grads: Any, task: Any, scratch: Any, width: Any, lot: Any) -> None:
    """Compute the gradients of a task."""
    dB = scratch + _REPLAY + (CHUNK + 1) * 2 * len(width) * VECTOR_BYTES
    sums = dB + CHUNK * (2 * scan.states + scan.rank) * VECTOR_BYTES
    steps = sums + 4 * max(2 * scan.states, scan.rank) * VECTOR_BYTES
    num_blocks = task.last_block - task.first_block
    carried = steps + num_blocks * CHUNK * VECTOR_BYTES
    for path in range(task.first_path, task.last_path):
        clear(carried, num_blocks * 2 * scan.states)
        last_chunk = (scan.length - 1) // CHUNK
        for backwards in range(last_chunk + 1):
            chunk = last_chunk - backwards
            tokens = min(CHUNK, scan.length - chunk * CHUNK)
            locate(scan, path, chunk * CHUNK, (chunk - 1) * CHUNK, scratch)
            clear(dB, 2 * CHUNK * scan.states)
            for block in range(task.first_block, task.last_block):
                index = block - task.first_block
                block_steps = steps + index * CHUNK * VECTOR_BYTES
                block_carried = carried + index * 2 * scan.states * VECTOR_BYTES
                slopes = scratch + _SLOPES if scan.softplus != 0 else 0
                step_sizes(
                    scan,
                    task.batch,
                    path,
                    block,
                    scratch,
                    scratch + _STEPS,
                    slopes,
                    scratch + _SPARE,
                )
                _prepare(scan, grads, task, path, block, scratch)
                _sweep_states(
                    scan,
                    grads,
                    task,
                    path,
                    chunk,
                    block,
                    tokens,
                    scratch,
                    dB,
                    block_carried,
                    width,
                    lot,
                )
                _finish(scan, grads, task.batch, path, block, tokens, scratch, block_steps)
            write_rows(scan, grads, task, path, tokens, scratch, dB, sums)
            if scan.rank > 0:
                factors = sums - CHUNK * scan.rank * VECTOR_BYTES
                write_factors(scan, grads, task, path, tokens, scratch, factors, sums, steps)
        _write_decays(scan, grads, task, path, carried, width)


@part
def _prepare(scan: Any, grads: Any, task: Any, path: Any, block: Any, scratch: Any) -> None:
    """Load x and dy of a chunk, and clear what the sweeps add to."""
    lanes = min(LANES, scan.channels - block * LANES)
    ahead = (block - task.first_block) * CHUNK
    x_base = row_address(scan.x, task.batch, path, 0) + block * VECTOR_BYTES
    dy_base = row_address(grads.dy, task.batch, path, 0) + block * VECTOR_BYTES
    for token in range(CHUNK):
        prefetch_line(scan.x, task, path, ahead + token, scratch)
        prefetch_line(grads.dy, task, path, ahead + token, scratch)
        pixel = load_int64(scratch + token * 8)
        place = scratch + token * VECTOR_BYTES
        x = load_lanes(x_base + pixel * scan.x.pixel, lanes, scratch + _SPARE)
        store(place + _INPUTS, multiply(load(place + _STEPS), x))
        store(place + _X, x)
        dy = load_lanes(dy_base + pixel * grads.dy.pixel, lanes, scratch + _SPARE)
        store(place + _DY, dy)
        store(place + _EXPONENTS, zero())
        store(place + _THROUGH_INPUT, zero())


@part
def _sweep_states(
    scan: Any,
    grads: Any,
    task: Any,
    path: Any,
    chunk: Any,
    block: Any,
    tokens: Any,
    scratch: Any,
    dB: Any,
    carried: Any,
    width: Any,
    lot: Any,
) -> None:
    """Replay the chunk from its kept state and sweep back, group after group of states."""
    blocks = (scan.channels + LANES - 1) // LANES
    chunks = (scan.length + CHUNK - 1) // CHUNK
    B = row_address(scan.B, task.batch, path, 0)
    C = row_address(scan.C, task.batch, path, 0)
    ahead = (block - task.first_block) * CHUNK
    kept = ((task.batch * scan.paths + path) * chunks + chunk) * blocks + block
    size = len(width) * VECTOR_BYTES
    for first in range(0, scan.states, len(width)):
        A2 = scan.A2 + ((path * blocks + block) * scan.states + first) * VECTOR_BYTES
        states = load_states(scan.kept + (kept * scan.states + first) * VECTOR_BYTES, width)
        store_states(scratch + _REPLAY + size, states)
        for token in range(0, tokens, len(lot)):
            place = scratch + token * VECTOR_BYTES
            states = replay(
                states,
                lot,
                A2,
                (place + _STEPS, place + _INPUTS),
                (B + first * 4, scan.B.pixel, scratch + token * 8),
                scratch + _REPLAY + (token + 1) * 2 * size,
            )
        group_carried = carried + 2 * first * VECTOR_BYTES
        group = load_states(group_carried, width + width)
        for backwards in range(tokens):
            token = tokens - 1 - backwards
            place = scratch + token * VECTOR_BYTES
            if first == 0:
                prefetch_line(grads.x, task, path, ahead + token, scratch)
                if scan.rank == 0:
                    prefetch_line(scan.steps, task, path, ahead + token, scratch)
                    prefetch_line(grads.steps, task, path, ahead + token, scratch)
            pixel = load_int64(scratch + token * 8)
            row = dB + (token * 2 * scan.states + first) * VECTOR_BYTES
            group = sweep_back(
                group,
                A2,
                (place + _STEPS, place + _INPUTS, place + _DY),
                (place + _EXPONENTS, place + _THROUGH_INPUT),
                (B + pixel * scan.B.pixel + first * 4, C + pixel * scan.C.pixel + first * 4),
                scratch + _REPLAY + (token + 1) * 2 * size,
                (row, row + scan.states * VECTOR_BYTES),
            )
        store_states(group_carried, group)


@part
def _finish(
    scan: Any,
    grads: Any,
    batch: Any,
    path: Any,
    block: Any,
    tokens: Any,
    scratch: Any,
    steps: Any,
) -> None:
    """Write the gradients of x and of the step sizes, and add to those of bias and skip."""
    blocks = (scan.channels + LANES - 1) // LANES
    lanes = min(LANES, scan.channels - block * LANES)
    spare = scratch + _SPARE
    skip = load(scan.D + (path * blocks + block) * VECTOR_BYTES)
    sums = ((batch * scan.paths + path) * blocks + block) * VECTOR_BYTES
    of_bias, of_skip = load(grads.dt_bias + sums), load(grads.D + sums)
    x_base = row_address(grads.x, batch, path, 0) + block * VECTOR_BYTES
    steps_base = row_address(grads.steps, batch, path, 0) + block * VECTOR_BYTES
    for token in range(tokens):
        pixel = load_int64(scratch + token * 8)
        place = scratch + token * VECTOR_BYTES
        through_input, x, dy = (
            load(place + _THROUGH_INPUT),
            load(place + _X),
            load(place + _DY),
        )
        of_step = fma(through_input, x, times_ln2(load(place + _EXPONENTS)))
        if scan.softplus != 0:
            of_step = multiply(of_step, load(place + _SLOPES))
        store(steps + token * VECTOR_BYTES, of_step)
        of_bias = add(of_bias, of_step)
        of_skip = fma(dy, x, of_skip)
        of_x = fma(through_input, load(place + _STEPS), multiply(skip, dy))
        x_address = x_base + pixel * grads.x.pixel
        if scan.summed != 0 and path > 0:
            of_x = add(load_lanes(x_address, lanes, spare), of_x)
        store_lanes(x_address, of_x, lanes, spare)
        if scan.rank == 0:
            store_lanes(steps_base + pixel * grads.steps.pixel, of_step, lanes, spare)
    store(grads.dt_bias + sums, of_bias)
    store(grads.D + sums, of_skip)
    clear(steps + tokens * VECTOR_BYTES, CHUNK - tokens)


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
def write_rows(
    scan: Any, grads: Any, task: Any, path: Any, tokens: Any, scratch: Any, dB: Any, sums: Any
) -> None:
    """Reduce and write the gradients of B and C of a chunk."""
    size = scan.states
    _reduce(dB, tokens * 2 * size, sums)
    _scatter(grads.B, task.slot, path, tokens, scratch, sums, size, 2 * size)
    _scatter(grads.C, task.slot, path, tokens, scratch, sums + 4 * size, size, 2 * size)


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


@part
def _write_decays(scan: Any, grads: Any, task: Any, path: Any, carried: Any, width: Any) -> None:
    """Write what the sweeps of a path carried for A."""
    blocks = (scan.channels + LANES - 1) // LANES
    index = (task.batch * scan.paths + path) * blocks + task.first_block
    target = grads.A + index * scan.states * VECTOR_BYTES
    count = (task.last_block - task.first_block) * scan.states
    for first in range(0, count, len(width)):
        source = carried + (2 * first + len(width)) * VECTOR_BYTES
        store_states(target + first * VECTOR_BYTES, load_states(source, width))
