"""Load YAML into the dataclasses that live beside what they configure; strict and precise.

Every error is one line that names the file, the dotted path and what is allowed there.
"""

import dataclasses
import difflib
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from typing_extensions import override

from rsmamba.errors import ConfigError

Schema = TypeVar("Schema")
_MOST_CHARACTERS = 60
# In the place of pydantic's words, which name types of Python.
_PLAIN_WORDS = {
    "dataclass_type": "Input should be a section of keys and values",
    "dict_type": "Input should be a section of keys and values",
    "tuple_type": "Input should be a list, such as [a, b]",
    "path_type": "Input should be a path",
    "none_required": "Input should be left out",
}


class _StrictLoader(yaml.SafeLoader):
    """YAML without the repeated keys that PyYAML resolves in silence."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Make a dictionary of a mapping whose keys differ."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                problem = f"the key {name} is repeated"
                mark = key.start_mark
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


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
    for change in overrides:
        _apply(values, change)
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
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except OSError as error:
        msg = f"cannot read the configuration {path}: {error.strerror}; check the path"
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"the configuration {path} is not a text file in UTF-8; give a YAML file"
        raise ConfigError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path} is not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path} holds no sections; a configuration is a mapping of section names to values"
        raise ConfigError(msg)
    return values


def _apply(values: dict[str, Any], change: str) -> None:
    """Set one dotted key in place."""
    dotted, equals, text = change.partition("=")
    *parents, last = dotted.strip().split(".")
    if not equals or not last or not all(parents):
        msg = f"cannot read the override {change!r}; write section.key=value"
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
        msg = f"the value of the override {change!r} is not valid YAML; quote it"
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
    text = _PLAIN_WORDS.get(first["type"], text)
    given = repr(first["input"])
    if len(given) > _MOST_CHARACTERS:
        given = given[:_MOST_CHARACTERS] + "..."
    given = "" if first["type"] in {"missing", "value_error"} else f" (got {given})"
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{where + ': ' if where else ''}{text}{given}{more}"
