"""How kernels are compiled: without the GIL, and kept on disk where a folder can be written."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.extending import intrinsic

_LOGGER = logging.getLogger(__name__)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function on its first call for each set of argument types.

    The machine code is kept beside the source, or in the user's cache folder (or NUMBA_CACHE_DIR)
    if the package is read-only. Without any such folder it is compiled again in each process.

    Args:
        function: Function in the part of Python that Numba compiles.

    Returns:
        The compiled function; it runs without the GIL.
    """
    try:
        compiled: Callable[..., Any] = njit(function, nogil=True, cache=True)
    except RuntimeError:  # Numba's way to say that no cache folder can be written
        _LOGGER.info("no cache folder can be written: %s compiles anew", function.__name__)
        return njit(function, nogil=True)
    # Numba looks at the file of the function alone, but a kernel is made from all files here.
    cache_file = compiled._cache._cache_file  # type: ignore[attr-defined]  # no public way
    cache_file._source_stamp = (cache_file._source_stamp, _sources_stamp())
    return compiled


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function a part of the kernels that call it.

    A call would pass every number of the scan's description through memory, which costs as much as
    a few vectors of work.

    Args:
        function: Function in the part of Python that Numba compiles.

    Returns:
        What kernels call.
    """
    made: Callable[..., Any] = njit(function, forceinline=True)
    return made


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that emits LLVM code callable from kernels, in Numba's way.

    Args:
        function: Takes the typing context and the types of the arguments, and returns the signature
            and what emits the code. Kernels call it without the typing context.

    Returns:
        What kernels call.
    """
    made: Callable[..., Any] = intrinsic(function)
    return made


@functools.cache
def _sources_stamp() -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of every file that kernels are made from."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    facts = ((file.name, file.stat()) for file in files)
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in facts)
