"""Load YAML into the dataclasses that live beside what they configure; strict and precise.

Every error is one line that names the file, the dotted path and what is allowed there.
"""

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from rsmamba.errors import ConfigError

Schema = TypeVar("Schema")


def load_config(path: str | Path, schema: type[Schema], *, overrides: Sequence[str] = ()) -> Schema:
    """Read a configuration file.

    Args:
        path: YAML file.
        schema: Dataclass to read it into, such as `TrainConfig`.
        overrides: Changes such as "trainer.epochs=3"; the value is read as YAML.

    Returns:
        The configuration, checked.

    Raises:
        ConfigError: If the file cannot be read, a key is unknown, a value has the wrong type, or
            fields contradict each other.
    """
    values = _read_yaml(Path(path))
    for override in overrides:
        _override(values, override)
    for dotted, known in _unknown_keys(schema, values, ()):
        close = difflib.get_close_matches(dotted[-1], known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        msg = f"{path}: unknown key {'.'.join(dotted)}; {hint}"
        raise ConfigError(msg)
    try:
        return TypeAdapter(schema).validate_python(values)
    except ValidationError as error:
        msg = f"{path}: {_first_error(error)}"
        raise ConfigError(msg) from error


def _read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the configuration {path}: {error}"
        raise ConfigError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path} is not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path} holds no sections; a configuration is a mapping of section names to values"
        raise ConfigError(msg)
    return values


def _override(values: dict[str, Any], override: str) -> None:
    """Set one dotted key in place."""
    dotted, equals, text = override.partition("=")
    *parents, last = dotted.strip().split(".")
    if not equals or not last or not all(parents):
        msg = f"cannot read the override {override!r}; write section.key=value"
        raise ConfigError(msg)
    section: Any = values
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            msg = f"cannot set {dotted}: {parent} is a value, not a section"
            raise ConfigError(msg)
    try:
        section[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        msg = f"the value of the override {override!r} is not valid YAML; quote it"
        raise ConfigError(msg) from error


def _unknown_keys(
    schema: object, values: object, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the path of each key that no dataclass field has, with the keys known there."""
    if not isinstance(schema, type) or not dataclasses.is_dataclass(schema):
        return
    if not isinstance(values, Mapping):
        return
    types = typing.get_type_hints(schema)
    known = [field.name for field in dataclasses.fields(schema)]
    for key, value in values.items():
        if key in known:
            yield from _unknown_keys(types[key], value, (*path, key))
        else:
            yield (*path, str(key)), known


def _first_error(error: ValidationError) -> str:
    """Say the first problem in one line and count the rest."""
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] in {"missing", "value_error"} else f" (got {first['input']!r})"
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{where + ': ' if where else ''}{text}{given}{more}"
