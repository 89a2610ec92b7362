"""Build a configuration from plain options, with errors that name what is allowed."""

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rsmamba.errors import OptionError

Config = TypeVar("Config")


def closest(word: str, choices: Iterable[str]) -> str:
    """Return a hint that names the choice nearest to a mistyped word.

    Args:
        word: What was given.
        choices: What is allowed.

    Returns:
        A text such as ``" (did you mean 'dim'?)"``, or an empty one.
    """
    matches = difflib.get_close_matches(word, list(choices), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def config_from_options(config_class: type[Config], options: Mapping[str, Any]) -> Config:
    """Make a configuration dataclass from plain values, as YAML or a model file holds them.

    Args:
        config_class: A dataclass with defaults; its fields may be dataclasses themselves.
        options: Values by field name; a mapping fills a nested dataclass.

    Returns:
        The configuration.

    Raises:
        OptionError: If a name is unknown or a value is not one of the allowed words.
    """
    hints = get_type_hints(config_class)
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in hints:
            message = (
                f"unknown option {name!r}{closest(name, hints)}; "
                f"the options are {', '.join(sorted(hints))}"
            )
            raise OptionError(message)
        values[name] = _field_value(name, value, hints[name])
    return config_class(**values)


def _field_value(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401 - any field type
    if isinstance(hint, types.UnionType) and isinstance(value, Mapping):
        # An optional part of a configuration: None, or its own options.
        nested = [part for part in get_args(hint) if dataclasses.is_dataclass(part)]
        hint = nested[0] if nested else hint
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return config_from_options(hint, value)
    if get_origin(hint) is Literal and value not in get_args(hint):
        allowed = ", ".join(repr(choice) for choice in get_args(hint))
        message = f"option {name} is {value!r}; choose one of {allowed}"
        raise OptionError(message)
    if get_origin(hint) is tuple:
        return tuple(value)
    return value
