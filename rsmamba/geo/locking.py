"""Locks that a killed process does not leave behind.

The kernel holds the lock of a file for the process that opened it and drops it when that process is
gone, however it went. Where a file system knows no locks, the owner's process number and start time
in the file decide.
"""

import os
import socket
import sys
from pathlib import Path

import psutil

if sys.platform != "win32":
    import fcntl


class FileLock:
    """A file that one process at a time holds.

    Args:
        path: The file; made if absent. Its text names the owner.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> str | None:
        """Take the lock, without waiting.

        Returns:
            None if it was free, else who holds it, such as ``"process 17 on host"``.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            owner = _take(descriptor)
            if owner is not None:
                os.close(descriptor)
                return owner
            # The last owner may have removed the file between opening and locking it.
            if _is_same_file(descriptor, self._path):
                break
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _own_name().encode())
        self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Give the lock up; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _take(descriptor: int) -> str | None:
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner(descriptor) or "another process"
        except OSError:
            # This file system has no locks.
            pass
        else:
            return None
    owner = _owner(descriptor)
    return owner if owner and _may_run(descriptor) else None


def _owner(descriptor: int) -> str | None:
    words = _words(descriptor)
    return f"process {words[1]} on {words[0]}" if words else None


def _words(descriptor: int) -> tuple[str, int, float] | None:
    try:
        host, process, started = os.pread(descriptor, 1000, 0).decode().split()
        return host, int(process), float(started)
    except ValueError:
        return None


def _may_run(descriptor: int) -> bool:
    words = _words(descriptor)
    if words is None:
        return False
    host, process, started = words
    if host != socket.gethostname():
        return True
    try:
        return abs(psutil.Process(process).create_time() - started) < 1.0
    except psutil.Error:
        return False


def _own_name() -> str:
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time():.2f}"


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
