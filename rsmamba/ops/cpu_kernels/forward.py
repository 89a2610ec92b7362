"""The forward kernel: some tasks of a scan.

Tokens pass in lots of a few, and the blocks of 16 channels of a lot one after the other, so that
every row is read and written from end to end, in any scan order, and nothing but the states is put
aside. While one lot passes, the rows of the next are asked for: with few states memory sets the
pace. Within a block the states follow each other, each with all tokens of the lot, whose powers of
two do not wait for one another.

Scratch memory, in vectors: 6 tables of 8 addresses for each of two lots and for the tail of a row,
24 vectors for that tail, then N states, an output that goes nowhere, and the step sizes of a lot
for each block of the task.
"""

from typing import Any

from rsmamba.ops.cpu_kernels.compiling import kernel, part
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.lots import (
    add_products,
    add_rows,
    addresses_of,
    load_group,
    load_rows,
    multiply_groups,
    prefetch_rows,
    softplus_of,
    spread,
    store_group,
    store_rows,
)
from rsmamba.ops.cpu_kernels.plan import CHUNK, LOT
from rsmamba.ops.cpu_kernels.rows import (
    clear,
    find_task,
    gap_address,
    kept_place,
    parameter_place,
    pixel_of,
    row_address,
)
from rsmamba.ops.cpu_kernels.states import advance_state
from rsmamba.ops.cpu_kernels.vectors import (
    copy_floats,
    flush_denormals,
    load,
    load_int64,
    prefetch,
    restore_denormals,
    store_int64,
)

# Tables of a lot.
_X, _STEPS, _Y, _B, _C, _GAPS = (place * VECTOR_BYTES for place in range(6))
_TABLES = 6 * VECTOR_BYTES
_TAIL = 3 * _TABLES
_STATES = _TAIL + 3 * 8 * VECTOR_BYTES


def forward_scratch_bytes(blocks: int, states: int) -> int:
    """Return the scratch memory of a task with so many blocks and states."""
    return _STATES + blocks * (states + 1 + LOT) * VECTOR_BYTES


@kernel
def scan_forward(
    scan: Any, y: Any, cut: Any, first: Any, last: Any, scratch: Any, lot: Any
) -> None:
    """Run the tasks from `first` to before `last`; `lot` is as long as the tokens of a lot."""
    before = flush_denormals()
    for index in range(first, last):
        task = find_task(scan, cut, index)
        for path in range(task.first_path, task.last_path):
            clear(scratch + _STATES, (task.last_block - task.first_block) * scan.states)
            _locate(scan, y, task, path, 0, scratch, scratch, lot)
            for token in range(0, scan.length, len(lot)):
                _pass_lot(scan, y, task, path, token, scratch, lot)
    restore_denormals(before)


@part
def _locate(
    scan: Any, y: Any, task: Any, path: Any, first: Any, scratch: Any, tables: Any, lot: Any
) -> None:
    """Write the row addresses of the tokens of a lot and ask for their small rows.

    Places after the last token repeat its pixel, and what they put out goes nowhere.
    """
    states = (task.last_block - task.first_block) * scan.states
    nowhere = scratch + _STATES + (states - task.first_block) * VECTOR_BYTES
    for index in range(len(lot)):
        pixel = pixel_of(scan, task.batch, path, first + index)
        place = tables + index * 8
        B = row_address(scan.B, task.batch, path, pixel)
        C = row_address(scan.C, task.batch, path, pixel)
        steps = row_address(scan.steps, task.batch, path, pixel)
        outputs = row_address(y, task.batch, path, pixel)
        store_int64(place + _X, row_address(scan.x, task.batch, path, pixel))
        store_int64(place + _STEPS, steps)
        store_int64(place + _Y, outputs if first + index < scan.length else nowhere)
        store_int64(place + _B, B)
        store_int64(place + _C, C)
        if scan.gaps != 0:
            store_int64(place + _GAPS, gap_address(scan, task.batch, path, first + index))
        if scan.rank != 0:
            prefetch(steps)
        prefetch(B)
        prefetch(C)


@part
def _pass_lot(
    scan: Any,
    y: Any,
    task: Any,
    path: Any,
    first: Any,
    scratch: Any,
    lot: Any,
) -> None:
    """Pass the tokens of a lot through all blocks of the task."""
    half = first // len(lot) % 2
    tables = scratch + half * _TABLES
    ahead = scratch + (1 - half) * _TABLES
    _locate(scan, y, task, path, first + len(lot), scratch, ahead, lot)
    if scan.kept != 0 and first % CHUNK == 0:
        kept = scan.kept + kept_place(scan, task.batch, path, first, task.first_block)
        count = (task.last_block - task.first_block) * scan.states
        copy_floats(kept, scratch + _STATES, count * LANES)
    added = scan.summed != 0 and path > 0
    full = min(task.last_block, scan.channels // LANES)
    count = task.last_block - task.first_block
    projected = scratch + _STATES + count * (scan.states + 1) * VECTOR_BYTES
    size = len(lot) * VECTOR_BYTES
    if scan.rank > 0:
        blocks = (task.first_block, task.last_block)
        project_steps(scan, path, blocks, tables + _STEPS, projected, size, lot)
    for block in range(task.first_block, full):
        shift = block * VECTOR_BYTES
        prefetch_rows(ahead + _X, shift, lot)
        if scan.rank == 0:
            prefetch_rows(ahead + _STEPS, shift, lot)
        prefetch_rows(ahead + _Y, shift, lot)
        index = block - task.first_block
        state = scratch + _STATES + index * scan.states * VECTOR_BYTES
        steps = read_steps(scan, path, block, tables + _STEPS, shift, projected + index * size, lot)
        outputs = _outputs(scan, path, block, state, tables, shift, steps, lot)
        if added:
            outputs = add_rows(outputs, tables + _Y, shift)
        store_rows(tables + _Y, shift, outputs)
    if full < task.last_block:
        index = full - task.first_block
        state = scratch + _STATES + index * scan.states * VECTOR_BYTES
        _pass_tail(scan, path, full, added, tables, scratch, state, projected + index * size, lot)


@part
def _outputs(
    scan: Any,
    path: Any,
    block: Any,
    states: Any,
    tables: Any,
    shift: Any,
    steps: Any,
    lot: Any,
) -> Any:
    """Advance the states of one block and return the outputs of the lot."""
    place = parameter_place(scan, path, block)
    if scan.softplus != 0:
        steps = softplus_of(steps)
    x = load_rows(tables + _X, shift, lot)
    scaled = multiply_groups(steps, x)
    outputs = multiply_groups(spread(load(scan.D + place), lot), x)
    if scan.gaps != 0:
        # What was dropped lets time pass and adds nothing.
        steps = add_products(steps, tables + _GAPS, 0, load(scan.idle + place))
    rows = (addresses_of(tables + _B, lot), addresses_of(tables + _C, lot))
    A2 = scan.A2 + place * scan.states
    for n in range(scan.states):
        step = n * VECTOR_BYTES
        rate = load(A2 + step)
        outputs = advance_state(outputs, states + step, rate, steps, scaled, rows, 4 * n)
    return outputs


@part
def read_steps(
    scan: Any, path: Any, block: Any, table: Any, shift: Any, projected: Any, lot: Any
) -> Any:
    """Return the step sizes of a lot before the softplus: given whole, or projected before."""
    if scan.rank > 0:
        return load_group(projected, lot)
    bias = load(scan.dt_bias + parameter_place(scan, path, block))
    return add_rows(spread(bias, lot), table, shift)


@part
def project_steps(
    scan: Any,
    path: Any,
    blocks: Any,
    table: Any,
    target: Any,
    stride: Any,
    lot: Any,
) -> None:
    """Write the step sizes of a lot before the softplus, from their factors.

    `blocks` are the first block and the one after the last; what belongs to the next block goes
    `stride` bytes further on. Two blocks at a time share the loads of the factors.
    """
    for block in range(blocks[0], blocks[1], 2):
        other = min(block + 1, blocks[1] - 1)
        places = (parameter_place(scan, path, block), parameter_place(scan, path, other))
        one = spread(load(scan.dt_bias + places[0]), lot)
        two = spread(load(scan.dt_bias + places[1]), lot)
        for r in range(scan.rank):
            shift = scan.dt_weight + r * VECTOR_BYTES
            one = add_products(one, table, 4 * r, load(places[0] * scan.rank + shift))
            two = add_products(two, table, 4 * r, load(places[1] * scan.rank + shift))
        store_group(target + (block - blocks[0]) * stride, one)
        store_group(target + (other - blocks[0]) * stride, two)


@part
def _pass_tail(
    scan: Any,
    path: Any,
    block: Any,
    added: Any,
    tables: Any,
    scratch: Any,
    state: Any,
    projected: Any,
    lot: Any,
) -> None:
    """Pass a lot through the last few channels of its rows, by way of spare vectors."""
    spare = scratch + 2 * _TABLES
    shift = block * VECTOR_BYTES
    lanes = scan.channels - block * LANES
    for index in range(len(lot)):
        entry, to = tables + index * 8, spare + index * 8
        vectors = scratch + _TAIL + 3 * index * VECTOR_BYTES
        clear(vectors, 3)
        copy_floats(vectors, load_int64(entry + _X) + shift, lanes)
        store_int64(to + _X, vectors)
        store_int64(to + _STEPS, load_int64(entry + _STEPS))
        if scan.rank == 0:
            copy_floats(vectors + VECTOR_BYTES, load_int64(entry + _STEPS) + shift, lanes)
            store_int64(to + _STEPS, vectors + VECTOR_BYTES)
        if added:
            copy_floats(vectors + 2 * VECTOR_BYTES, load_int64(entry + _Y) + shift, lanes)
        store_int64(to + _Y, vectors + 2 * VECTOR_BYTES)
        store_int64(to + _B, load_int64(entry + _B))
        store_int64(to + _C, load_int64(entry + _C))
        if scan.gaps != 0:
            store_int64(to + _GAPS, load_int64(entry + _GAPS))
    steps = read_steps(scan, path, block, spare + _STEPS, 0, projected, lot)
    outputs = _outputs(scan, path, block, state, spare, 0, steps, lot)
    if added:
        outputs = add_rows(outputs, spare + _Y, 0)
    store_rows(spare + _Y, 0, outputs)
    for index in range(len(lot)):
        target = load_int64(tables + _Y + index * 8) + shift
        copy_floats(target, load_int64(spare + _Y + index * 8), lanes)
