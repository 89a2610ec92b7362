"""The forward kernel: some tasks of a scan.

For each path and each chunk of 64 tokens, block after block of 16 channels: step sizes and inputs
of the whole chunk first (no token waits for another), then the states group by group, which stay
in registers while the chunk passes, then the outputs. Working block after block within a chunk
reads whole rows of the map, in any scan order.

Scratch memory, in vectors: 16 for the pixels of a chunk and of the next, 64 each for steps, inputs
and outputs, 2 spare, then N for each block of the task.
"""

from typing import Any

from rsmamba.ops.cpu_kernels.compiling import kernel, part
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.plan import CHUNK, Task
from rsmamba.ops.cpu_kernels.states import advance, load_states, store_states
from rsmamba.ops.cpu_kernels.vectors import (
    add,
    broadcast,
    copy_floats,
    flush_denormals,
    fma,
    load,
    load_int32,
    load_int64,
    multiply,
    prefetch,
    restore_denormals,
    softplus_and_slope_of_four,
    softplus_of_four,
    store,
    store_int64,
    zero,
)

_STEPS = 16 * VECTOR_BYTES
_INPUTS = _STEPS + CHUNK * VECTOR_BYTES
_OUTPUTS = _INPUTS + CHUNK * VECTOR_BYTES
_SPARE = _OUTPUTS + CHUNK * VECTOR_BYTES
_STATES = _SPARE + 2 * VECTOR_BYTES


def forward_scratch_bytes(blocks: int, states: int) -> int:
    """Return the scratch memory of a task with so many blocks and states."""
    return _STATES + blocks * states * VECTOR_BYTES


@kernel
def scan_forward(
    scan: Any, y: Any, cut: Any, first: Any, last: Any, scratch: Any, width: Any, lot: Any
) -> None:
    """Run the tasks from `first` to before `last`.

    `width` is a tuple as long as a group of states, `lot` one as long as the tokens that pass
    together. A last lot may run over the end of the sequence: it repeats the last token.
    """
    before = flush_denormals()
    for index in range(first, last):
        _scan_paths(scan, y, find_task(scan, cut, index), scratch, width, lot)
    restore_denormals(before)


@part
def find_task(scan: Any, cut: Any, index: Any) -> Any:
    """Return task number `index`."""
    blocks = (scan.channels + LANES - 1) // LANES
    paths = scan.paths // cut.groups
    piece = index % cut.pieces
    group = index // cut.pieces % cut.groups
    item = index // (cut.pieces * cut.groups)
    return Task(
        item,
        group * paths,
        (group + 1) * paths,
        piece * blocks // cut.pieces,
        (piece + 1) * blocks // cut.pieces,
        piece * cut.batch + item,
    )


@part
def _scan_paths(scan: Any, y: Any, task: Any, scratch: Any, width: Any, lot: Any) -> None:
    """Scan the paths of a task, chunk after chunk and block after block."""
    blocks = (scan.channels + LANES - 1) // LANES
    for path in range(task.first_path, task.last_path):
        clear(scratch + _STATES, (task.last_block - task.first_block) * scan.states)
        for first in range(0, scan.length, CHUNK):
            tokens = min(CHUNK, scan.length - first)
            locate(scan, path, first, first + CHUNK, scratch)
            for block in range(task.first_block, task.last_block):
                states = scratch + _STATES + (block - task.first_block) * scan.states * VECTOR_BYTES
                if scan.kept != 0:
                    chunks = (scan.length + CHUNK - 1) // CHUNK
                    index = ((task.batch * scan.paths + path) * chunks + first // CHUNK) * blocks
                    kept = scan.kept + (index + block) * scan.states * VECTOR_BYTES
                    copy_floats(kept, states, scan.states * LANES)
                step_sizes(
                    scan, task.batch, path, block, scratch, scratch + _STEPS, 0, scratch + _SPARE
                )
                ahead = (block - task.first_block) * CHUNK
                _prepare(scan, task, path, block, ahead, scratch)
                _advance_states(
                    scan, y, task, path, block, ahead, tokens, scratch, states, width, lot
                )
                _write(scan, y, task.batch, path, block, tokens, scratch)


@part
def clear(address: Any, count: Any) -> None:
    """Set vectors to zero."""
    for index in range(count):
        store(address + index * VECTOR_BYTES, zero())


@part
def locate(scan: Any, path: Any, first: Any, ahead: Any, pixels: Any) -> None:
    """Write the pixels of a chunk's tokens, and of the chunk that begins at token `ahead`.

    Places after the last token repeat its pixel.
    """
    for index in range(2 * CHUNK):
        token = first + index
        if index >= CHUNK:
            token = ahead + index - CHUNK
        token = min(max(token, 0), scan.length - 1)
        pixel = token
        if scan.order != 0:
            pixel = load_int32(scan.order + (path * scan.length + token) * 4)
        store_int64(pixels + index * 8, pixel)


@part
def prefetch_line(rows: Any, task: Any, path: Any, line: Any, pixels: Any) -> None:
    """Ask for one line of the rows that the next chunk will touch.

    Lines are counted row after row, and 64 of them are asked for in the course of each block's
    work: memory delivers neighbouring lines fastest, and never more than it can in that time.
    """
    blocks = task.last_block - task.first_block
    row = (line * (2**32 // blocks + 1)) >> 32  # line // blocks
    pixel = load_int64(pixels + (CHUNK + row) * 8)
    shift = (task.first_block + line - row * blocks) * VECTOR_BYTES
    prefetch(row_address(rows, task.batch, path, pixel) + shift)


@part
def row_address(rows: Any, batch: Any, path: Any, pixel: Any) -> Any:
    """Return the address of one row."""
    return rows.address + batch * rows.batch + path * rows.path + pixel * rows.pixel


@part
def load_lanes(address: Any, lanes: Any, spare: Any) -> Any:
    """Load 16 channels, or the last few of a row by way of the spare vector."""
    if lanes < LANES:
        store(spare, zero())
        copy_floats(spare, address, lanes)
        return load(spare)
    return load(address)


@part
def store_lanes(address: Any, value: Any, lanes: Any, spare: Any) -> None:
    """Store 16 channels, or the last few of a row by way of the spare vector."""
    if lanes < LANES:
        store(spare, value)
        copy_floats(address, spare, lanes)
    else:
        store(address, value)


@part
def step_sizes(
    scan: Any,
    batch: Any,
    path: Any,
    block: Any,
    pixels: Any,
    steps: Any,
    slopes: Any,
    spare: Any,
) -> None:
    """Write the step sizes of a chunk, and the slopes of their softplus if `slopes` is not 0."""
    blocks = (scan.channels + LANES - 1) // LANES
    bias = load(scan.dt_bias + (path * blocks + block) * VECTOR_BYTES)
    weights = scan.dt_weight + (path * blocks + block) * scan.rank * VECTOR_BYTES
    base = row_address(scan.steps, batch, path, 0)
    lanes = min(LANES, scan.channels - block * LANES)
    for token in range(0, CHUNK, 4):
        row0 = base + load_int64(pixels + token * 8) * scan.steps.pixel
        row1 = base + load_int64(pixels + token * 8 + 8) * scan.steps.pixel
        row2 = base + load_int64(pixels + token * 8 + 16) * scan.steps.pixel
        row3 = base + load_int64(pixels + token * 8 + 24) * scan.steps.pixel
        target = steps + token * VECTOR_BYTES
        if scan.rank == 0:
            shift = block * VECTOR_BYTES
            store(target, add(bias, load_lanes(row0 + shift, lanes, spare)))
            store(target + VECTOR_BYTES, add(bias, load_lanes(row1 + shift, lanes, spare)))
            store(target + 2 * VECTOR_BYTES, add(bias, load_lanes(row2 + shift, lanes, spare)))
            store(target + 3 * VECTOR_BYTES, add(bias, load_lanes(row3 + shift, lanes, spare)))
        else:
            sum0, sum1, sum2, sum3 = bias, bias, bias, bias
            for r in range(scan.rank):
                weight = load(weights + r * VECTOR_BYTES)
                sum0 = fma(broadcast(row0 + 4 * r), weight, sum0)
                sum1 = fma(broadcast(row1 + 4 * r), weight, sum1)
                sum2 = fma(broadcast(row2 + 4 * r), weight, sum2)
                sum3 = fma(broadcast(row3 + 4 * r), weight, sum3)
            store(target, sum0)
            store(target + VECTOR_BYTES, sum1)
            store(target + 2 * VECTOR_BYTES, sum2)
            store(target + 3 * VECTOR_BYTES, sum3)
        if slopes != 0:
            softplus_and_slope_of_four(target, slopes + token * VECTOR_BYTES)
        elif scan.softplus != 0:
            softplus_of_four(target)


@part
def _prepare(scan: Any, task: Any, path: Any, block: Any, ahead: Any, scratch: Any) -> None:
    """Write the inputs step * x of a chunk and its first outputs D * x."""
    blocks = (scan.channels + LANES - 1) // LANES
    skip = load(scan.D + (path * blocks + block) * VECTOR_BYTES)
    base = row_address(scan.x, task.batch, path, 0) + block * VECTOR_BYTES
    lanes = min(LANES, scan.channels - block * LANES)
    for token in range(CHUNK):
        prefetch_line(scan.x, task, path, ahead + token, scratch)
        pixel = load_int64(scratch + token * 8)
        x = load_lanes(base + pixel * scan.x.pixel, lanes, scratch + _SPARE)
        place = scratch + token * VECTOR_BYTES
        store(place + _INPUTS, multiply(load(place + _STEPS), x))
        store(place + _OUTPUTS, multiply(skip, x))


@part
def _advance_states(
    scan: Any,
    y: Any,
    task: Any,
    path: Any,
    block: Any,
    ahead: Any,
    tokens: Any,
    scratch: Any,
    states: Any,
    width: Any,
    lot: Any,
) -> None:
    """Pass the chunk through the states of a block, group after group."""
    blocks = (scan.channels + LANES - 1) // LANES
    B = row_address(scan.B, task.batch, path, 0)
    C = row_address(scan.C, task.batch, path, 0)
    for first in range(0, scan.states, len(width)):
        A2 = scan.A2 + ((path * blocks + block) * scan.states + first) * VECTOR_BYTES
        group = load_states(states + first * VECTOR_BYTES, width)
        for token in range(0, tokens, len(lot)):
            place = scratch + token * VECTOR_BYTES
            if first == 0:
                for index in range(token, token + len(lot)):
                    prefetch_line(y, task, path, ahead + index, scratch)
                    if scan.rank == 0:
                        prefetch_line(scan.steps, task, path, ahead + index, scratch)
            group = advance(
                group,
                lot,
                A2,
                (place + _STEPS, place + _INPUTS, place + _OUTPUTS),
                (B + first * 4, scan.B.pixel, scratch + token * 8),
                (C + first * 4, scan.C.pixel),
            )
        store_states(states + first * VECTOR_BYTES, group)


@part
def _write(scan: Any, y: Any, batch: Any, path: Any, block: Any, tokens: Any, scratch: Any) -> None:
    """Write the chunk's outputs, or add them to those of the paths before."""
    base = row_address(y, batch, path, 0) + block * VECTOR_BYTES
    lanes = min(LANES, scan.channels - block * LANES)
    spare = scratch + _SPARE
    for token in range(tokens):
        address = base + load_int64(scratch + token * 8) * y.pixel
        value = load(scratch + _OUTPUTS + token * VECTOR_BYTES)
        if scan.summed != 0 and path > 0:
            value = add(load_lanes(address, lanes, spare), value)
        store_lanes(address, value, lanes, spare)
