"""Journals: append-only files of entries, of which a crash can spoil the last one only.

A line is a checksum and a JSON object. A line that was cut off or mixed up does not fit its
checksum and counts as never written.
"""

import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_LOGGER = logging.getLogger(__name__)


def append_entry(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an entry to a journal.

    Each entry is one write at the end of the file, so several processes of one machine may share a
    journal.

    Args:
        path: The journal; made if absent.
        entry: Plain values.
    """
    text = json.dumps(entry, sort_keys=True)
    line = f"\n{zlib.crc32(text.encode()):08x} {text}\n".encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        written = os.write(descriptor, line)
    finally:
        os.close(descriptor)
    if written < len(line):
        message = "no space left"
        raise OSError(message)


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Read a journal.

    Args:
        path: The journal; an absent one is empty.

    Yields:
        The entries in order, without those that do not fit their checksum.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in filter(None, content.split(b"\n")):
        checksum, _, text = line.partition(b" ")
        if checksum != f"{zlib.crc32(text):08x}".encode():
            _LOGGER.info("%s: a torn line is left out", path)
            continue
        yield json.loads(text)
