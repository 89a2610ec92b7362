"""Readers for option values, and how the console lays things out."""

import pytest

from rsmamba.cli import console, options
from rsmamba.errors import OptionError


@pytest.mark.parametrize(
    ("text", "bands"),
    [(None, None), ("1", (1,)), ("4,3,2", (4, 3, 2)), ("1..3", (1, 2, 3)), ("4, 1..2", (4, 1, 2))],
)
def test_bands_are_lists_and_ranges(text: str | None, bands: tuple[int, ...] | None) -> None:
    """In the order that they are given."""
    assert options.parse_bidx(text) == bands


@pytest.mark.parametrize("text", ["", "a", "1;2", "1,", "-1", "1.5", "3..1"])
def test_other_texts_are_not_bands(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(OptionError, match=r"write it like 4,3,2 or 1\.\.3"):
        options.parse_bidx(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, None),
        ("2GB", 2 * 1024**3),
        ("512 MiB", 512 * 1024**2),
        ("0.5g", 1024**3 // 2),
        ("1024", 1024),
    ],
)
def test_memory_has_units(text: str | None, size: int | None) -> None:
    """Powers of 1024, however they are spelled."""
    assert options.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "0", "2XB"])
def test_other_texts_are_not_memory(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(OptionError, match="write it like 2GB or 512MB"):
        options.parse_size(text)


def test_numbers_are_counted() -> None:
    """Too few are refused with the form."""
    names = "LEFT,BOTTOM,RIGHT,TOP"
    numbers = options.parse_numbers("-1,2.5,3,4e3", option="--bounds", names=names)
    assert numbers == (-1.0, 2.5, 3.0, 4000.0)
    for text in ("1,2,3", "1,2,3,x", ""):
        with pytest.raises(OptionError, match=f"is not of the form {names}"):
            options.parse_numbers(text, option="--bounds", names=names)


def test_creation_options_are_pairs() -> None:
    """Names in capitals, values as they are."""
    assert options.parse_pairs(["compress=zstd", "LEVEL = 9"]) == {"COMPRESS": "zstd", "LEVEL": "9"}
    with pytest.raises(OptionError, match=r"'COMPRESS' is not of the form NAME=VALUE"):
        options.parse_pairs(["COMPRESS"])


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**50, "1024.0 TiB")]
)
def test_sizes_are_readable(size_bytes: float, text: str) -> None:
    """In the largest unit that fits."""
    assert console.size_text(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (90, "2 min"), (7500, "2 h 05 min")]
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    """Hours get minutes."""
    assert console.duration_text(seconds) == text


def test_tables_align_their_columns() -> None:
    """The first column to the left, numbers to the right."""
    assert console.table([["a", "1"], ["long", "100"]]) == "  a       1\n  long  100"
