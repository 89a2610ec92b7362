"""Threads that run the tasks of a kernel, and their scratch memory.

Kernels release the GIL, so plain threads do. The pool belongs to one process and is made when first
needed: a forked worker makes its own. Its size follows `torch.get_num_threads()`. Results never
depend on it, since tasks write to places of their own.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

_ALIGNMENT = 64
_RANGES_OF_THREAD = 4  # a thread that is held up leaves the rest of its share to others

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


class _Scratch(threading.local):
    """Scratch memory of one thread; asking NumPy for an address takes as long as a small kernel."""

    memory: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
    address = 0
    size = 0


_own = _Scratch()


def run_tasks(run: Callable[[int, int], None], count: int) -> None:
    """Run all tasks, on as many threads as torch uses, and wait for them.

    Calling a kernel costs as much as a few thousand tokens of work, so that each thread is given
    ranges of tasks and a single thread all of them.

    Args:
        run: Runs the tasks from its first argument to before its second; releases the GIL.
        count: Number of tasks, which do not depend on each other.
    """
    helpers = min(torch.get_num_threads(), count) - 1
    if helpers <= 0:
        run(0, count)
        return
    pieces = min(count, _RANGES_OF_THREAD * (helpers + 1))
    bounds = [piece * count // pieces for piece in range(pieces + 1)]
    waiting = iter(list(itertools.pairwise(bounds)))
    futures = [_pool().submit(_drain, run, waiting) for _ in range(helpers)]
    try:
        _drain(run, waiting)
    finally:
        for future in futures:
            if not future.cancel():
                future.result()


def scratch_address(size: int) -> int:
    """Return an address of at least `size` bytes that this thread may use until it asks again.

    Args:
        size: Bytes.

    Returns:
        The address, a multiple of 64.
    """
    if _own.size < size:
        _own.memory = np.empty(size + _ALIGNMENT, np.uint8)
        _own.address = -(-_own.memory.ctypes.data // _ALIGNMENT) * _ALIGNMENT
        _own.size = size
    return _own.address


def _drain(run: Callable[[int, int], None], waiting: Iterable[tuple[int, int]]) -> None:
    """Run ranges of tasks until none is left; several threads share the iterator."""
    for first, last in waiting:
        run(first, last)


def _pool() -> ThreadPoolExecutor:
    """Return this process's pool for the present number of threads.

    A pool starts no thread before it is used, so that making one too many costs nothing and no lock
    is needed, which a fork could leave locked.
    """
    key = (os.getpid(), torch.get_num_threads())
    if key not in _pools:
        _pools.setdefault(key, ThreadPoolExecutor(key[1], thread_name_prefix="rsmamba-scan"))
    return _pools[key]
