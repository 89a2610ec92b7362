"""Configuration files: what is right is read, what is wrong is named in one line."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from rsmamba.config import load_config
from rsmamba.errors import ConfigError, OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven:
    """A section with a default and a check."""

    degrees: float = 180.0
    mode: Literal["fan", "grill"] = "fan"

    def __post_init__(self) -> None:
        if self.degrees > 300:
            msg = f"degrees is {self.degrees}; give 300 or less"
            raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A configuration with one field that has no default."""

    title: str
    steps: tuple[str, ...] = ()
    book: Path | None = None
    oven: Oven = field(default_factory=Oven)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_sections_become_dataclasses(tmp_path: Path) -> None:
    path = write(tmp_path, "title: Bread\nsteps: [mix, bake]\nbook: a/b\noven: {degrees: 2.2e2}\n")
    assert load_config(path, Recipe) == Recipe(
        title="Bread", steps=("mix", "bake"), book=Path("a/b"), oven=Oven(degrees=220)
    )


def test_overrides_win_and_may_make_sections(tmp_path: Path) -> None:
    path = write(tmp_path, "title: Bread\n")
    recipe = load_config(path, Recipe, overrides=["oven.degrees=250", "steps=[a, b]", "title=x=y"])
    assert recipe == Recipe(title="x=y", steps=("a", "b"), oven=Oven(degrees=250))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("titel: Bread\n", "unknown key titel; did you mean title?"),
        ("title: a\noven: {degree: 1}\n", "unknown key oven.degree; did you mean degrees?"),
        ("title: a\noven: {zzz: 1}\n", "unknown key oven.zzz; known are degrees, mode"),
        ("title: a\n1: b\n", "unknown key 1; known are title, steps, book, oven"),
        ("steps: []\n", "title: Field required"),
        ("title: a\noven: {degrees: hot}\n", "oven.degrees: Input should be a valid number"),
        ("title: a\noven: {degrees: hot}\n", "(got 'hot')"),
        ("title: a\noven: {mode: micro}\n", "oven.mode: Input should be 'fan' or 'grill'"),
        ("title: a\noven: {degrees: 400}\n", "oven: degrees is 400.0; give 300 or less"),
        ("title: a\noven: warm\n", "oven: Input should be a section of keys and values"),
        ("title: []\nsteps: 3\n", "and 1 more"),
        ("title: a\nsteps: 3\n", "steps: Input should be a list, such as [a, b] (got 3)"),
        ("title: a\nbook: 3\n", "book: Input should be a path (got 3)"),
        ("title: [" + "9, " * 99 + "9]\n", "9, 9,...)"),
        ("- title\n", "holds no sections"),
        ("", "holds no sections"),
        ("title: [\n", "is not valid YAML"),
        ("title: a\ntitle: b\n", "the key title is repeated"),
        ("title: a\noven: {mode: fan, mode: grill}\n", "the key mode is repeated"),
    ],
)
def test_wrong_files_are_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load_config(path, Recipe)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("title", "cannot read the override 'title'; write section.key=value"),
        ("=3", "cannot read the override '=3'"),
        ("oven..mode=fan", "cannot read the override"),
        ("title.x=3", "cannot set title.x: title is a value, not a section"),
        ("title=[", "the value of the override 'title=[' is not valid YAML; quote it"),
        ("oven.moode=fan", "unknown key oven.moode; did you mean mode?"),
    ],
)
def test_wrong_overrides_are_named(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_config(write(tmp_path, "title: a\n"), Recipe, overrides=[change])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: No such file or directory; check the path"):
        load_config(tmp_path / "none.yaml", Recipe)
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path, Recipe)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a text file in UTF-8; give a YAML file"):
        load_config(tmp_path / "binary.yaml", Recipe)
