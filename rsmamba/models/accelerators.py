"""Whether a machine has anything but its CPU, found out without torch."""

import ctypes
import sys
from pathlib import Path

_CUDA_LIBRARIES = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


def has_accelerator() -> bool:
    """Say whether torch might find a GPU.

    Returns:
        False only if it certainly finds none: not on a Mac, no AMD driver and no CUDA device.
    """
    if sys.platform == "darwin" or Path("/dev/kfd").exists():
        return True
    try:
        cuda = ctypes.CDLL(_CUDA_LIBRARIES.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return False
    count = ctypes.c_int(0)
    return (
        cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    )
