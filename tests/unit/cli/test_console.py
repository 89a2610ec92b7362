"""What is printed cannot command a terminal."""

import logging

import pytest

from rsmamba.cli import console

NAME = "a\x1b[31m\nrsmamba: done\udcff"


def test_messages_are_one_line_without_control_signs(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure()
    logging.getLogger("rsmamba.test").warning("failed %s", NAME)
    assert capsys.readouterr().err == "rsmamba: failed a?[31m?rsmamba: done?\n"


def test_cells_and_values_are_one_line() -> None:
    assert console.table([["scene", NAME]]) == "  scene  a?[31m?rsmamba: done?"
    assert console.facts({"wrote": NAME}) == "  wrote  a?[31m?rsmamba: done?"
