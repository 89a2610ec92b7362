"""Which bands are read, by choice and by default."""

from collections.abc import Sequence

import pytest

from rsmamba.errors import BandError
from rsmamba.geo.bands import check_bidx, default_bidx

RGBA = ["red", "green", "blue", "alpha"]


@pytest.mark.parametrize(
    ("colours", "num_bands", "expected"),
    [
        (RGBA, 3, (1, 2, 3)),
        (RGBA, None, (1, 2, 3)),
        (["blue", "green", "red", "alpha"], 3, (3, 2, 1)),
        (["blue", "green", "red", "undefined"], 4, (1, 2, 3, 4)),
        (["gray", "undefined", "undefined"], 2, (1, 2)),
        (["alpha", "gray"], 1, (2,)),
        (["gray"], None, (1,)),
    ],
)
def test_default_bands(
    colours: Sequence[str], num_bands: int | None, expected: tuple[int, ...]
) -> None:
    assert default_bidx(colours, num_bands=num_bands) == expected


def test_too_few_bands_name_what_is_there_and_what_to_do() -> None:
    text = r"town.tif has 1 band .* the model takes 3; .* --bidx 1,1,1"
    with pytest.raises(BandError, match=text):
        default_bidx(["gray", "alpha"], num_bands=3, name="town.tif")


def test_alpha_alone_is_no_data() -> None:
    with pytest.raises(BandError, match="has 0 bands"):
        default_bidx(["alpha"])


def test_bands_may_repeat() -> None:
    assert check_bidx([1, 1, 1], count=1, num_bands=3) == (1, 1, 1)


@pytest.mark.parametrize("number", [0, -1, 4])
def test_bands_outside_the_file_are_refused(number: int) -> None:
    with pytest.raises(BandError, match=f"no band {number}: the scene has bands 1 to 3"):
        check_bidx([1, number], count=3)


def test_no_band_at_all_is_refused() -> None:
    with pytest.raises(BandError, match="no band was given; the scene has band 1"):
        check_bidx([], count=1)


def test_another_number_of_bands_than_the_model_takes_is_refused() -> None:
    with pytest.raises(BandError, match=r"2 band numbers were given \(1,2\) and the model takes 3"):
        check_bidx([1, 2], count=3, num_bands=3)
