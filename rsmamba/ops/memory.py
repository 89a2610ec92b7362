"""What large tensors cost on the CPU, and a way to pay less.

The C library of Linux gives blocks of more than 32 MB back to the system when they are freed, and
the system clears and maps the pages of the next one: on a virtual machine that takes up to half a
second for each gigabyte, and several times longer than the scan that fills it.
"""

import ctypes

_MMAP_MAX = -4
_TRIM_THRESHOLD = -1
_NEVER = 2**31 - 1


def keep_large_blocks() -> bool:
    """Let this process keep the memory of freed tensors for the next ones.

    Large results, of about 50 MB and more, then come two to three times sooner where system calls
    are slow. The price is memory: after a few results of one size the process settles at two to
    four blocks more than it uses, and does not shrink again. Threads and forked workers follow;
    nothing in this package calls it.

    Returns:
        Whether the C library could be told; False elsewhere than on Linux with glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
