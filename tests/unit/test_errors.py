"""Errors and the check for optional packages."""

import math

import pytest

from rsmamba import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.RsmambaError)
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_can_be_caught_as_its_builtin(error: type[errors.RsmambaError]) -> None:
    """Callers that know nothing of rsmamba can catch them too."""
    builtin = [base for base in error.__mro__ if base.__module__ == "builtins"]
    assert len(builtin) > 3 or error is errors.RsmambaError


def test_require_returns_the_module() -> None:
    """A package that is there."""
    assert errors.require("math", extra="train") is math


def test_require_says_how_to_install() -> None:
    """A package that is not."""
    with pytest.raises(errors.MissingPackageError, match=r'pip install "rsmamba\[vector\]"'):
        errors.require("no_such_package", extra="vector")
