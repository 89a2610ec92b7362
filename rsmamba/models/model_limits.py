"""Limits on what a model file may claim, since its few bytes of header decide what is built."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsmamba.errors import ModelFileError

LARGEST_HEADER_BYTES = 16 * 2**20
LARGEST_NUMBER = 2**16
MOST_VALUES = 4096


def check_header_bytes(path: Path) -> None:
    """Refuse a file whose header is larger than any description of a network.

    Args:
        path: The file.

    Raises:
        ModelFileError: If its header has more than 16 MiB, or more bytes than the file.
    """
    with path.open("rb") as file:
        start = file.read(8)
    claimed = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= claimed <= min(LARGEST_HEADER_BYTES, path.stat().st_size - 8):
        message = (
            f"{path} is not a readable model file: it claims a header of {claimed:,} bytes and has "
            f"{path.stat().st_size:,} bytes in all, of which {LARGEST_HEADER_BYTES:,} may be "
            "header; download or save it again"
        )
        raise ModelFileError(message)


def check_options(path: Path, options: Mapping[str, Any]) -> None:
    """Refuse options of a network that no machine builds.

    Args:
        path: The file, for messages.
        options: The options, plain values.

    Raises:
        ModelFileError: If there are too many values, or too large numbers.
    """
    values = list(_plain(options, room=MOST_VALUES + 1))
    if len(values) > MOST_VALUES:
        message = f"{path} has more than {MOST_VALUES:,} options of its network; save it again"
        raise ModelFileError(message)
    for value in values:
        if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            message = (
                f"{path} builds a network with an option of {value:.6g}; the largest is "
                f"{LARGEST_NUMBER:,}"
            )
            raise ModelFileError(message)


def _plain(value: Any, *, room: int) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """Yield the values inside containers, without recursion; stop after some."""
    waiting = [value]
    while waiting and room:
        room -= 1
        value = waiting.pop()
        if isinstance(value, Mapping | list | tuple):
            waiting.extend(list(value.values() if isinstance(value, Mapping) else value)[:room])
        yield value
