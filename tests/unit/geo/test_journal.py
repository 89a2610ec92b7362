"""A journal gives back whole entries only."""

from pathlib import Path

import pytest

from rsmamba.geo.journal import append_entry, read_entries


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for number in range(3):
        append_entry(path, {"number": number, "name": "ä\n"})
    assert [entry["number"] for entry in read_entries(path)] == [0, 1, 2]
    assert {entry["name"] for entry in read_entries(path)} == {"ä\n"}


def test_an_absent_journal_is_empty(tmp_path: Path) -> None:
    assert list(read_entries(tmp_path / "absent")) == []


@pytest.mark.parametrize("cut", range(1, 23))
def test_an_entry_that_was_cut_off_is_left_out(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    append_entry(path, {"number": 1})
    whole = path.read_bytes()
    append_entry(path, {"number": 2})
    path.write_bytes(path.read_bytes()[: len(whole) + cut])
    append_entry(path, {"number": 3})
    assert [entry["number"] for entry in read_entries(path)] == [1, 3]


def test_an_entry_that_changed_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    append_entry(path, {"number": 1})
    path.write_bytes(path.read_bytes().replace(b"1}", b"7}"))
    assert list(read_entries(path)) == []
