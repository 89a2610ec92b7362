"""Locks hold while their process lives, and no longer."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rsmamba.geo.locking import FileLock

HOLDS = """
import sys
from pathlib import Path
from rsmamba.geo.locking import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_free_again_after_release(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire() is None
    assert (second.acquire() or "").startswith(f"process {os.getpid()} on ")
    first.release()
    first.release()
    assert second.acquire() is None
    second.release()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n"
        lock = FileLock(path)
        assert (lock.acquire() or "").startswith(f"process {process.pid} on ")
        process.kill()
        process.wait()
    assert lock.acquire() is None
    lock.release()


def test_without_locks_the_owner_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    path = tmp_path / "lock"
    first = FileLock(path)
    assert first.acquire() is None
    assert (FileLock(path).acquire() or "").startswith(f"process {os.getpid()} on ")
    path.write_text(path.read_text().rsplit(" ", 1)[0] + " 12345.00")
    assert FileLock(path).acquire() is None
    path.write_text("elsewhere 1 12345.00")
    assert FileLock(path).acquire() == "process 1 on elsewhere"
