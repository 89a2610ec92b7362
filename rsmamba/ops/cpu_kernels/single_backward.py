"""The backward kernel for one state per channel: some tasks of a scan.

The forward of a chunk is replayed and then swept back, both in lots of a few tokens that pass from
end to end of their rows, as in the forward kernel. What all channels add to (the gradients of B and
C) stays in registers for the length of a row.

Scratch memory, in vectors: 16 for the pixels of a chunk and of the next, 7 tables of 64 addresses,
the same for the tail of a row and 40 for its values, 64 * 2 for B and C, 64 * R for the factors of
the step size, 4 * max(2, R) for lane sums, and for each block 64 for the gradients of its step
sizes, a record of its step sizes (64), their slopes (64), its states (65) and what it carries from
chunk to chunk (4), a zero, and what goes nowhere.
"""

from typing import Any

from rsmamba.ops.cpu_kernels.backward import write_factors, write_rows
from rsmamba.ops.cpu_kernels.compiling import kernel, part
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.forward import clear, find_task, locate, row_address
from rsmamba.ops.cpu_kernels.lots import (
    load_rows,
    prefetch_rows,
    replay_single,
    spread,
    store_softplus_and_slope,
    sweep_single,
)
from rsmamba.ops.cpu_kernels.plan import CHUNK
from rsmamba.ops.cpu_kernels.single import step_logits
from rsmamba.ops.cpu_kernels.states import load_states, store_states
from rsmamba.ops.cpu_kernels.vectors import (
    copy_floats,
    flush_denormals,
    load,
    load_int64,
    one,
    restore_denormals,
    store,
    store_int64,
    zero,
)

_TABLE = 8 * CHUNK
_X, _STEPS, _B, _C, _DY, _DX, _DSTEPS = (index * _TABLE for index in range(7))
_TABLES = 16 * VECTOR_BYTES
_SPARE = _TABLES + 7 * _TABLE
_TAIL = _SPARE + 7 * _TABLE
_ROWS = _TAIL + 40 * VECTOR_BYTES
_FACTORS = _ROWS + 2 * CHUNK * VECTOR_BYTES
# Within the record of a block.
_SLOPES = CHUNK * VECTOR_BYTES
_STATES = 2 * _SLOPES
_CARRIED = _STATES + (CHUNK + 1) * VECTOR_BYTES
_RECORD = _CARRIED + 4 * VECTOR_BYTES


def single_backward_scratch_bytes(blocks: int, rank: int) -> int:
    """Return the scratch memory of a task of so many blocks, with a step size of that rank."""
    shared = CHUNK * rank + 4 * max(2, rank)
    return _FACTORS + (shared + blocks * (CHUNK + 2)) * VECTOR_BYTES + blocks * _RECORD


@kernel
def scan_single_backward(
    scan: Any, grads: Any, cut: Any, first: Any, last: Any, scratch: Any, lot: Any
) -> None:
    """Run the tasks from `first` to before `last`; `lot` as in the forward."""
    before = flush_denormals()
    for index in range(first, last):
        _scan_paths(scan, grads, find_task(scan, cut, index), scratch, lot)
    restore_denormals(before)


@part
def _scan_paths(scan: Any, grads: Any, task: Any, scratch: Any, lot: Any) -> None:
    """Compute the gradients of a task."""
    count = task.last_block - task.first_block
    factors = scratch + _FACTORS
    sums = factors + CHUNK * scan.rank * VECTOR_BYTES
    of_steps = sums + 4 * max(2, scan.rank) * VECTOR_BYTES
    records = of_steps + count * CHUNK * VECTOR_BYTES
    clear(records + count * _RECORD, count)  # the zeros that stand for dy after the last token
    for path in range(task.first_path, task.last_path):
        for index in range(count):
            clear(records + index * _RECORD + _CARRIED, 4)
        last_chunk = (scan.length - 1) // CHUNK
        for backwards in range(last_chunk + 1):
            chunk = last_chunk - backwards
            tokens = min(CHUNK, scan.length - chunk * CHUNK)
            locate(scan, path, chunk * CHUNK, (chunk - 1) * CHUNK, scratch)
            _tabulate(scan, grads, task, path, tokens, scratch, of_steps, records)
            _replay(scan, task, path, chunk, tokens, scratch, records, lot)
            _sweep(scan, task, path, tokens, scratch, records, lot)
            write_rows(scan, grads, task, path, tokens, scratch, scratch + _ROWS, sums)
            if scan.rank > 0:
                for index in range(count):
                    end = (index * CHUNK + tokens) * VECTOR_BYTES
                    clear(of_steps + end, CHUNK - tokens)
                write_factors(scan, grads, task, path, tokens, scratch, factors, sums, of_steps)
        _write_carried(scan, grads, task, path, records)


@part
def _tabulate(
    scan: Any,
    grads: Any,
    task: Any,
    path: Any,
    tokens: Any,
    scratch: Any,
    of_steps: Any,
    records: Any,
) -> None:
    """Write the row addresses of a chunk; after its last token dy is zero, and dx goes nowhere."""
    count = task.last_block - task.first_block
    zeros = records + count * _RECORD - task.first_block * VECTOR_BYTES
    nowhere = zeros + count * VECTOR_BYTES
    for token in range(CHUNK):
        pixel = load_int64(scratch + token * 8)
        place = scratch + _TABLES + token * 8
        store_int64(place + _X, row_address(scan.x, task.batch, path, pixel))
        store_int64(place + _STEPS, row_address(scan.steps, task.batch, path, pixel))
        store_int64(place + _B, row_address(scan.B, task.batch, path, pixel))
        store_int64(place + _C, row_address(scan.C, task.batch, path, pixel))
        there = token < tokens
        dy = row_address(grads.dy, task.batch, path, pixel)
        dx = row_address(grads.x, task.batch, path, pixel)
        target = row_address(grads.steps, task.batch, path, pixel) if there else nowhere
        if scan.rank > 0:
            target = of_steps + token * VECTOR_BYTES
        store_int64(place + _DY, dy if there else zeros)
        store_int64(place + _DX, dx if there else nowhere)
        store_int64(place + _DSTEPS, target)


@part
def _replay(
    scan: Any,
    task: Any,
    path: Any,
    chunk: Any,
    tokens: Any,
    scratch: Any,
    records: Any,
    lot: Any,
) -> None:
    """Fill the records with step sizes, slopes and states of a chunk."""
    blocks = (scan.channels + LANES - 1) // LANES
    chunks = (scan.length + CHUNK - 1) // CHUNK
    kept = scan.kept + ((task.batch * scan.paths + path) * chunks + chunk) * blocks * VECTOR_BYTES
    for block in range(task.first_block, task.last_block):
        record = records + (block - task.first_block) * _RECORD
        store(record + _STATES, load(kept + block * VECTOR_BYTES))
    full = min(task.last_block, scan.channels // LANES)
    for token in range(0, tokens, len(lot)):
        tables = scratch + _TABLES + token * 8
        ahead = tables + len(lot) * 8  # after the last lot this prefetches in vain
        for block in range(task.first_block, full):
            shift = block * VECTOR_BYTES
            prefetch_rows(ahead + _X, shift, lot)
            if scan.rank == 0:
                prefetch_rows(ahead + _STEPS, shift, lot)
            record = records + (block - task.first_block) * _RECORD
            _replay_block(scan, path, block, record, token, tables, shift, lot)
        if full < task.last_block:
            spare = scratch + _SPARE
            _read_tail(scan, full, False, tables, spare, lot)
            record = records + (full - task.first_block) * _RECORD
            _replay_block(scan, path, full, record, token, spare, 0, lot)


@part
def _replay_block(
    scan: Any,
    path: Any,
    block: Any,
    record: Any,
    token: Any,
    tables: Any,
    shift: Any,
    lot: Any,
) -> None:
    """Fill the record of a block for the tokens of a lot."""
    place = (path * ((scan.channels + LANES - 1) // LANES) + block) * VECTOR_BYTES
    steps = record + token * VECTOR_BYTES
    values = step_logits(scan, place, tables + _STEPS, shift, lot)
    if scan.softplus != 0:
        store_softplus_and_slope(steps, steps + _SLOPES, values)
    else:
        store_states(steps, values)
        store_states(steps + _SLOPES, spread(one(), lot))
    x = load_rows(tables + _X, shift, lot)
    A2 = load(scan.A2 + place)
    replay_single(steps + _STATES, A2, load_states(steps, lot), x, tables + _B)


@part
def _sweep(
    scan: Any, task: Any, path: Any, tokens: Any, scratch: Any, records: Any, lot: Any
) -> None:
    """Pass the lots of a chunk backwards."""
    full = min(task.last_block, scan.channels // LANES)
    added = scan.summed != 0 and path > 0
    last_lot = (tokens - 1) // len(lot)
    for backwards in range(last_lot + 1):
        token = (last_lot - backwards) * len(lot)
        tables = scratch + _TABLES + token * 8
        ahead = tables - len(lot) * 8  # after the first lot this prefetches in vain
        sums = spread(zero(), lot + lot)
        for block in range(task.first_block, full):
            shift = block * VECTOR_BYTES
            prefetch_rows(ahead + _DY, shift, lot)
            prefetch_rows(ahead + _DX, shift, lot)
            of_steps = (block - task.first_block) * CHUNK * VECTOR_BYTES
            if scan.rank == 0:
                prefetch_rows(ahead + _DSTEPS, shift, lot)
                of_steps = shift
            record = records + (block - task.first_block) * _RECORD
            shifts = (shift, of_steps)
            sums = _sweep_block(scan, path, block, record, token, tables, shifts, added, sums, lot)
        if full < task.last_block:
            spare = scratch + _SPARE
            _read_tail(scan, full, added, tables, spare, lot)
            shifts = (0, (full - task.first_block) * CHUNK * VECTOR_BYTES * (scan.rank != 0))
            record = records + (full - task.first_block) * _RECORD
            sums = _sweep_block(scan, path, full, record, token, spare, shifts, added, sums, lot)
            _write_tail(scan, full, tables, spare, lot)
        store_states(scratch + _ROWS + 2 * token * VECTOR_BYTES, sums)


@part
def _sweep_block(
    scan: Any,
    path: Any,
    block: Any,
    record: Any,
    token: Any,
    tables: Any,
    shifts: Any,
    added: Any,
    sums: Any,
    lot: Any,
) -> Any:
    """Pass a lot backwards through one block and return the new sums."""
    place = (path * ((scan.channels + LANES - 1) // LANES) + block) * VECTOR_BYTES
    parameters = (load(scan.A2 + place), load(scan.D + place))
    steps = record + token * VECTOR_BYTES
    x = load_rows(tables + _X, shifts[0], lot)
    dy = load_rows(tables + _DY, shifts[0], lot)
    of_x = spread(zero(), lot)
    if added:
        of_x = load_rows(tables + _DX, shifts[0], lot)
    return sweep_single(
        sums,
        record + _CARRIED,
        parameters,
        (steps, steps + _SLOPES, steps + _STATES),
        x,
        dy,
        (tables + _B, tables + _C, tables + _DX, tables + _DSTEPS),
        shifts,
        of_x,
    )


@part
def _read_tail(scan: Any, block: Any, added: Any, tables: Any, spare: Any, lot: Any) -> None:
    """Copy the last few channels of the rows of a lot to spare vectors, with tables of them."""
    shift = block * VECTOR_BYTES
    lanes = scan.channels - block * LANES
    for index in range(len(lot)):
        entry, to = tables + index * 8, spare + index * 8
        vectors = spare + _TAIL - _SPARE + 5 * index * VECTOR_BYTES
        clear(vectors, 5)
        copy_floats(vectors, load_int64(entry + _X) + shift, lanes)
        copy_floats(vectors + VECTOR_BYTES, load_int64(entry + _DY) + shift, lanes)
        store_int64(to + _X, vectors)
        store_int64(to + _DY, vectors + VECTOR_BYTES)
        dx = vectors + 2 * VECTOR_BYTES
        if added:
            copy_floats(dx, load_int64(entry + _DX) + shift, lanes)
        store_int64(to + _DX, dx)
        store_int64(to + _STEPS, load_int64(entry + _STEPS))
        store_int64(to + _DSTEPS, load_int64(entry + _DSTEPS))
        if scan.rank == 0:
            steps = vectors + 3 * VECTOR_BYTES
            copy_floats(steps, load_int64(entry + _STEPS) + shift, lanes)
            store_int64(to + _STEPS, steps)
            store_int64(to + _DSTEPS, steps + VECTOR_BYTES)
        store_int64(to + _B, load_int64(entry + _B))
        store_int64(to + _C, load_int64(entry + _C))


@part
def _write_tail(scan: Any, block: Any, tables: Any, spare: Any, lot: Any) -> None:
    """Copy what was put out for the last few channels from the spare vectors to the rows."""
    shift = block * VECTOR_BYTES
    lanes = scan.channels - block * LANES
    for index in range(len(lot)):
        entry, source = tables + index * 8, spare + index * 8
        copy_floats(load_int64(entry + _DX) + shift, load_int64(source + _DX), lanes)
        if scan.rank == 0:
            target = load_int64(entry + _DSTEPS) + shift
            copy_floats(target, load_int64(source + _DSTEPS), lanes)


@part
def _write_carried(scan: Any, grads: Any, task: Any, path: Any, records: Any) -> None:
    """Write the gradients of A, bias and skip of a path."""
    blocks = (scan.channels + LANES - 1) // LANES
    for block in range(task.first_block, task.last_block):
        place = ((task.batch * scan.paths + path) * blocks + block) * VECTOR_BYTES
        carried = records + (block - task.first_block) * _RECORD + _CARRIED
        store(grads.A + place, load(carried + VECTOR_BYTES))
        store(grads.dt_bias + place, load(carried + 2 * VECTOR_BYTES))
        store(grads.D + place, load(carried + 3 * VECTOR_BYTES))
