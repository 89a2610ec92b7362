"""The backward kernel: some tasks of a scan.

Chunks pass from the last to the first. Each is replayed from its kept states, lot after lot as in
the forward, and leaves all decays and the states before each lot; then the lots are swept back, and
the states within a lot are found again, in registers. All blocks of a lot follow each other, so
that what all channels add to (the gradients of B and C) stays in the nearest cache meanwhile.

Scratch memory, in vectors: 16 for the pixels of a chunk and of the next, 7 tables of 64 addresses,
the same for the tail of a row and 40 for its values, 16 * N for what a lot or two add to B and C,
64 * R for the factors of the step size, 8 * max(N, R) for lane sums, and for each block 64 for the
gradients of its step sizes, a record, a zero, and what goes nowhere. A record holds 64 step sizes
and their slopes, gradients of bias and skip, N pairs of g and dA, N states before each of 17 lots,
and 64 * N decays.
"""

from typing import Any

from rsmamba.ops.cpu_kernels.compiling import kernel, part
from rsmamba.ops.cpu_kernels.contractions import (
    lot_vectors,
    reduce_lot,
    write_factors,
    write_rows,
)
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.forward import project_steps, read_steps
from rsmamba.ops.cpu_kernels.lots import (
    addresses_of,
    load_group,
    load_rows,
    multiply_groups,
    prefetch_rows,
    spread,
    store_group,
    store_softplus_and_slope,
)
from rsmamba.ops.cpu_kernels.plan import CHUNK, LOT
from rsmamba.ops.cpu_kernels.rows import (
    clear,
    find_task,
    kept_place,
    parameter_place,
    pixel_of,
    row_address,
)
from rsmamba.ops.cpu_kernels.states import finish_sweep, replay_state, sweep_state
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
# Within the record of a block.
_SLOPES = CHUNK * VECTOR_BYTES
_SUMS = 2 * _SLOPES
_CARRIED = _SUMS + 2 * VECTOR_BYTES
_LOTS = CHUNK // LOT + 1


def _decays_offset(states: int) -> int:
    """Return where the decays lie in a record."""
    return _CARRIED + (2 + _LOTS) * states * VECTOR_BYTES


def _record_size(states: int) -> int:
    """Return the size of a record."""
    return _CARRIED + (2 + _LOTS + CHUNK) * states * VECTOR_BYTES


def backward_scratch_bytes(*, blocks: int, states: int, rank: int) -> int:
    """Return the scratch memory of a task.

    Args:
        blocks: Blocks of channels of the task.
        states: States N.
        rank: Rank R of the step size, 0 if it is given whole.

    Returns:
        Bytes.
    """
    shared = 4 * LOT * states + CHUNK * rank + 8 * max(states, rank)
    own = (CHUNK + 2) * VECTOR_BYTES + _record_size(states)
    return _ROWS + shared * VECTOR_BYTES + blocks * own


_record_bytes, _decays = part(_record_size), part(_decays_offset)


@kernel
def scan_backward(
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
    factors = scratch + _ROWS + 4 * len(lot) * scan.states * VECTOR_BYTES
    sums = factors + CHUNK * scan.rank * VECTOR_BYTES
    of_steps = sums + 8 * max(scan.states, scan.rank) * VECTOR_BYTES
    records = of_steps + count * CHUNK * VECTOR_BYTES
    size = _record_bytes(scan.states)
    clear(records + count * size, count)  # the zeros that stand for dy after the last token
    for path in range(task.first_path, task.last_path):
        for index in range(count):
            clear(records + index * size + _SUMS, 2 + 2 * scan.states)
        last_chunk = (scan.length - 1) // CHUNK
        for backwards in range(last_chunk + 1):
            first = (last_chunk - backwards) * CHUNK
            tokens = min(CHUNK, scan.length - first)
            _tabulate(scan, grads, task, path, first, scratch, of_steps, records)
            _replay(scan, task, path, first, scratch, records, lot)
            _sweep(scan, task, path, tokens, scratch, records, sums, lot)
            write_rows(scan, grads, task, path, tokens, scratch, sums, lot)
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
    first: Any,
    scratch: Any,
    of_steps: Any,
    records: Any,
) -> None:
    """Write the row addresses of a chunk; after its last token dy is zero, and dx goes nowhere."""
    count = task.last_block - task.first_block
    size = _record_bytes(scan.states)
    zeros = records + count * size - task.first_block * VECTOR_BYTES
    nowhere = zeros + count * VECTOR_BYTES
    for token in range(CHUNK):
        pixel = pixel_of(scan, task.batch, path, first + token)
        store_int64(scratch + token * 8, pixel)
        place = scratch + _TABLES + token * 8
        store_int64(place + _X, row_address(scan.x, task.batch, path, pixel))
        store_int64(place + _STEPS, row_address(scan.steps, task.batch, path, pixel))
        store_int64(place + _B, row_address(scan.B, task.batch, path, pixel))
        store_int64(place + _C, row_address(scan.C, task.batch, path, pixel))
        there = first + token < scan.length
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
    scan: Any, task: Any, path: Any, first: Any, scratch: Any, records: Any, lot: Any
) -> None:
    """Fill the records with step sizes, slopes and states of a chunk."""
    size = _record_bytes(scan.states)
    kept = scan.kept + kept_place(scan, task.batch, path, first, task.first_block)
    states = scan.states * VECTOR_BYTES
    for index in range(task.last_block - task.first_block):
        target = records + index * size + _CARRIED + 2 * states
        copy_floats(target, kept + index * states, scan.states * LANES)
    tokens = min(CHUNK, scan.length - first)
    full = min(task.last_block, scan.channels // LANES)
    for token in range(0, tokens, len(lot)):
        tables = scratch + _TABLES + token * 8
        ahead = tables + len(lot) * 8  # after the last lot this prefetches in vain
        if scan.rank > 0:
            blocks = (task.first_block, task.last_block)
            target = records + token * VECTOR_BYTES
            project_steps(scan, path, blocks, tables + _STEPS, target, size, lot)
        for block in range(task.first_block, full):
            shift = block * VECTOR_BYTES
            prefetch_rows(ahead + _X, shift, lot)
            if scan.rank == 0:
                prefetch_rows(ahead + _STEPS, shift, lot)
            record = records + (block - task.first_block) * _record_bytes(scan.states)
            _replay_block(scan, path, block, record, token, tables, shift, lot)
        if full < task.last_block:
            spare = scratch + _SPARE
            _read_tail(scan, full, False, tables, spare, lot)
            record = records + (full - task.first_block) * _record_bytes(scan.states)
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
    place = parameter_place(scan, path, block)
    steps = record + token * VECTOR_BYTES
    values = read_steps(scan, path, block, tables + _STEPS, shift, steps, lot)
    if scan.softplus != 0:
        store_softplus_and_slope(steps, steps + _SLOPES, values)
    else:
        store_group(steps, values)
        store_group(steps + _SLOPES, spread(one(), lot))
    values = load_group(steps, lot)
    scaled = multiply_groups(values, load_rows(tables + _X, shift, lot))
    before = record + _CARRIED + (2 + token // len(lot)) * scan.states * VECTOR_BYTES
    after = before + scan.states * VECTOR_BYTES
    A2 = scan.A2 + place * scan.states
    B = addresses_of(tables + _B, lot)
    decays = record + _decays(scan.states) + token * scan.states * VECTOR_BYTES
    for n in range(scan.states):
        step = n * VECTOR_BYTES
        kept = decays + n * len(lot) * VECTOR_BYTES
        rate = load(A2 + step)
        replay_state(before + step, after + step, kept, rate, values, scaled, B, 4 * n)


@part
def _sweep(
    scan: Any,
    task: Any,
    path: Any,
    tokens: Any,
    scratch: Any,
    records: Any,
    sums: Any,
    lot: Any,
) -> None:
    """Pass the lots of a chunk backwards."""
    full = min(task.last_block, scan.channels // LANES)
    added = scan.summed != 0 and path > 0
    last_lot = (tokens - 1) // len(lot)
    for backwards in range(last_lot + 1):
        token = (last_lot - backwards) * len(lot)
        tables = scratch + _TABLES + token * 8
        ahead = tables - len(lot) * 8  # after the first lot this prefetches in vain
        clear(lot_vectors(scratch + _ROWS, token, scan.states, lot), 2 * len(lot) * scan.states)
        for block in range(task.first_block, full):
            shift = block * VECTOR_BYTES
            prefetch_rows(ahead + _DY, shift, lot)
            prefetch_rows(ahead + _DX, shift, lot)
            of_steps = (block - task.first_block) * CHUNK * VECTOR_BYTES
            if scan.rank == 0:
                prefetch_rows(ahead + _DSTEPS, shift, lot)
                of_steps = shift
            record = records + (block - task.first_block) * _record_bytes(scan.states)
            shifts = (shift, of_steps)
            _sweep_block(scan, path, block, record, token, tables, shifts, added, scratch, lot)
        if full < task.last_block:
            spare = scratch + _SPARE
            _read_tail(scan, full, added, tables, spare, lot)
            shifts = (0, (full - task.first_block) * CHUNK * VECTOR_BYTES * (scan.rank != 0))
            record = records + (full - task.first_block) * _record_bytes(scan.states)
            _sweep_block(scan, path, full, record, token, spare, shifts, added, scratch, lot)
            _write_tail(scan, full, tables, spare, lot)
        reduce_lot(scratch + _ROWS, token, scan.states, sums, lot)


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
    scratch: Any,
    lot: Any,
) -> None:
    """Pass a lot backwards through the states of one block."""
    place = parameter_place(scan, path, block)
    A2 = scan.A2 + place * scan.states
    steps = record + token * VECTOR_BYTES
    x = load_rows(tables + _X, shifts[0], lot)
    dy = load_rows(tables + _DY, shifts[0], lot)
    values = load_group(steps, lot)
    scaled = multiply_groups(values, x)
    rows = (addresses_of(tables + _B, lot), addresses_of(tables + _C, lot))
    state = record + _CARRIED + (2 + token // len(lot)) * scan.states * VECTOR_BYTES
    decays = record + _decays(scan.states) + token * scan.states * VECTOR_BYTES
    of_rows = lot_vectors(scratch + _ROWS, token, scan.states, lot)
    size = len(lot) * VECTOR_BYTES
    sums = spread(zero(), lot + lot)
    for n in range(scan.states):
        step = n * VECTOR_BYTES
        sums = sweep_state(
            sums,
            record + _CARRIED + 2 * step,
            (state + step, decays + n * size),
            load(A2 + step),
            values,
            scaled,
            dy,
            rows,
            4 * n,
            of_rows + 2 * n * size,
        )
    of_x = spread(zero(), lot)
    if added:
        of_x = load_rows(tables + _DX, shifts[0], lot)
    finish_sweep(
        sums,
        record + _SUMS,
        load(scan.D + place),
        (steps, steps + _SLOPES),
        x,
        dy,
        (tables + _DX, tables + _DSTEPS),
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
    size = _record_bytes(scan.states)
    for block in range(task.first_block, task.last_block):
        place = parameter_place(scan, task.batch * scan.paths + path, block)
        record = records + (block - task.first_block) * size
        store(grads.dt_bias + place, load(record + _SUMS))
        store(grads.D + place, load(record + _SUMS + VECTOR_BYTES))
        for n in range(scan.states):
            of_A = load(record + _CARRIED + (2 * n + 1) * VECTOR_BYTES)
            store(grads.A + place * scan.states + n * VECTOR_BYTES, of_A)
