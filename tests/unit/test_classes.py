"""Class schemes."""

import pytest

from rsmamba import ClassScheme
from rsmamba.errors import OptionError


def test_names_get_colours_that_differ() -> None:
    """For as many classes as a map can have."""
    scheme = ClassScheme.from_names([f"class {index}" for index in range(40)])
    assert len(set(scheme.colours)) == 40


def test_dictionary_round_trip() -> None:
    """Through JSON-like values."""
    scheme = ClassScheme(names=("a", "b"), colours=((0, 0, 0), (255, 255, 255)), ignore_index=9)
    assert ClassScheme.from_dict(scheme.to_dict()) == scheme


def test_colours_may_be_missing() -> None:
    """They are made from the names' places."""
    assert ClassScheme.from_dict({"names": ["a", "b"]}) == ClassScheme.from_names(["a", "b"])


def test_coerce_keeps_a_scheme() -> None:
    """And makes one from names."""
    scheme = ClassScheme.from_names(["a"])
    assert ClassScheme.coerce(scheme) is scheme
    assert ClassScheme.coerce(["a"]) == scheme


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"names": []}, "has 0 classes; give 1 to 255"),
        ({"names": ["a", "a"]}, "must be different and not empty"),
        ({"names": [""]}, "must be different and not empty"),
        ({"names": ["a"], "colours": [[1, 2, 3], [4, 5, 6]]}, "1 class names and 2 colours"),
        ({"names": ["a"], "colours": [[0, 0, 256]]}, "give red, green, blue in 0 to 255"),
        ({"names": ["a"], "colours": [[0, 0]]}, "not a class scheme"),
        ({"names": ["a", "b"], "ignore_index": 1}, "ignore index 1 must lie between"),
        ({}, "not a class scheme: 'names'"),
    ],
)
def test_bad_schemes_are_refused(values: dict[str, object], message: str) -> None:
    """The message says what is allowed."""
    with pytest.raises(OptionError, match=message):
        ClassScheme.from_dict(values)
