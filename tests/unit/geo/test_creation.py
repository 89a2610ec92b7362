"""Creation options: what is allowed and what GDAL is told."""

import pytest

from rsmamba.errors import OptionError
from rsmamba.geo.creation import Creation


def test_names_and_values_may_be_in_any_case() -> None:
    creation = Creation.parse({"compress": "Deflate", "LEVEL": "9"}, output_format="gtiff")
    assert (creation.format, creation.compress, creation.level) == ("GTiff", "DEFLATE", 9)


def test_defaults_are_those_of_the_class() -> None:
    assert Creation.parse() == Creation()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"COMPRES": "LZW"}, "'COMPRES' is not known; did you mean COMPRESS"),
        ({"QUALITY": "75"}, "'QUALITY' is not known; .*allowed are COMPRESS, "),
        ({"COMPRESS": "JPEG"}, "COMPRESS=JPEG is not allowed; give NONE or LZW or DEFLATE or ZSTD"),
        ({"LEVEL": "3"}, "LEVEL has no meaning for COMPRESS=LZW; give COMPRESS=DEFLATE or ZSTD"),
        ({"COMPRESS": "DEFLATE", "LEVEL": "12"}, "LEVEL=12 is not allowed; .* from 1 to 9"),
        ({"COMPRESS": "ZSTD", "LEVEL": "fast"}, "LEVEL=FAST is not allowed; .* from 1 to 22"),
        ({"BLOCKSIZE": "500"}, "BLOCKSIZE=500 is not allowed; .* 64 to 4096 in steps of 16"),
        ({"NUM_THREADS": "0"}, "NUM_THREADS=0 is not allowed; .* from 1 to 1024"),
        ({"BIGTIFF": "MAYBE"}, "BIGTIFF=MAYBE is not allowed"),
    ],
)
def test_other_options_are_refused(options: dict[str, str], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        Creation.parse(options)


def test_other_formats_are_refused() -> None:
    with pytest.raises(OptionError, match="format 'PNG' is not known; give COG or GTiff"):
        Creation.parse(output_format="PNG")


def test_scores_are_stored_as_differences_and_classes_are_not() -> None:
    creation = Creation.parse({"COMPRESS": "ZSTD", "LEVEL": "5", "NUM_THREADS": "all_cpus"})
    scores = creation.cog_options(is_score=True, has_overviews=True)
    classes = creation.cog_options(is_score=False, has_overviews=False)
    assert (scores["PREDICTOR"], scores["OVERVIEWS"]) == ("YES", "FORCE_USE_EXISTING")
    assert (classes["PREDICTOR"], classes["OVERVIEWS"]) == ("NO", "NONE")
    assert (classes["LEVEL"], classes["NUM_THREADS"]) == ("5", "ALL_CPUS")


@pytest.mark.parametrize(
    ("options", "is_float", "expected"),
    [
        ({"COMPRESS": "DEFLATE", "LEVEL": "2"}, False, {"PREDICTOR": "2", "ZLEVEL": "2"}),
        ({"COMPRESS": "ZSTD", "LEVEL": "2"}, True, {"PREDICTOR": "3", "ZSTD_LEVEL": "2"}),
        ({"BLOCKSIZE": "256"}, False, {"BLOCKXSIZE": "256", "BLOCKYSIZE": "256"}),
    ],
)
def test_plain_geotiffs_have_words_of_their_own(
    options: dict[str, str], is_float: bool, expected: dict[str, str]
) -> None:
    told = Creation.parse(options).gtiff_options(is_score=True, is_float=is_float)
    assert expected.items() <= told.items()


def test_uncompressed_files_have_no_predictor() -> None:
    creation = Creation.parse({"COMPRESS": "NONE", "PREDICTOR": "YES"})
    assert "PREDICTOR" not in creation.gtiff_options(is_score=True, is_float=True)
