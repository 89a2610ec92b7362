"""Files of weights are whole, or not there at all."""

import resource
import signal
from pathlib import Path

import pytest

from rsmamba.errors import OutputError
from rsmamba.models.files import write_atomically


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OutputError, match=r"cannot write model file .*weights: File too large"):
            write_atomically(tmp_path / "weights", b"0" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


def test_a_whole_file_replaces_another(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        write_atomically(tmp_path / "weights", content)
    assert (tmp_path / "weights").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1
