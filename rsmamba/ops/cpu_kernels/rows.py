"""Where the rows of a scan lie, which task is which, and small moves of memory."""

from typing import Any

from rsmamba.ops.cpu_kernels.compiling import part
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.plan import CHUNK, Task
from rsmamba.ops.cpu_kernels.vectors import load_int32, store, zero


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
def clear(address: Any, count: Any) -> None:
    """Set vectors to zero."""
    for index in range(count):
        store(address + index * VECTOR_BYTES, zero())


@part
def row_address(rows: Any, batch: Any, path: Any, pixel: Any) -> Any:
    """Return the address of one row."""
    return rows.address + batch * rows.batch + path * rows.path + pixel * rows.pixel


@part
def pixel_of(scan: Any, batch: Any, path: Any, token: Any) -> Any:
    """Return the pixel of a token; tokens after the last repeat its pixel."""
    token = min(token, scan.length - 1)
    if scan.order == 0:
        return token
    return load_int32(scan.order + batch * scan.order_batch + (path * scan.length + token) * 4)


@part
def gap_address(scan: Any, batch: Any, path: Any, token: Any) -> Any:
    """Return the address of the gap before a token; tokens after the last repeat it."""
    token = min(token, scan.length - 1)
    return scan.gaps + ((batch * scan.paths + path) * scan.length + token) * 4


@part
def parameter_place(scan: Any, path: Any, block: Any) -> Any:
    """Return where the vectors of a block lie among those of all paths and blocks, in bytes."""
    if scan.shared != 0:
        return block * VECTOR_BYTES
    return (path * ((scan.channels + LANES - 1) // LANES) + block) * VECTOR_BYTES


@part
def kept_place(scan: Any, batch: Any, path: Any, token: Any, block: Any) -> Any:
    """Return where the kept states of a block before a chunk's first token lie, in bytes."""
    blocks = (scan.channels + LANES - 1) // LANES
    chunks = (scan.length + CHUNK - 1) // CHUNK
    index = (batch * scan.paths + path) * chunks + token // CHUNK
    return (index * blocks + block) * scan.states * VECTOR_BYTES
