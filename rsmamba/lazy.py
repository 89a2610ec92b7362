"""Public names of a package that load on first use, so that importing it costs little."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def loader_of(package: str, home_of_name: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a package's ``__getattr__`` (PEP 562).

    Args:
        package: Name of the package.
        home_of_name: Module that defines each public name.

    Returns:
        A function that loads a name on first use.
    """

    def load(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
        home = home_of_name.get(name)
        if home is None:
            known = ", ".join(sorted(home_of_name))
            message = f"module {package!r} has no attribute {name!r}; it has {known}"
            raise AttributeError(message)
        value = getattr(importlib.import_module(home), name)
        setattr(importlib.import_module(package), name, value)
        return value

    return load
