"""Kinds of output rasters and how scores are stored."""

import numpy as np
import pytest

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError
from rsmamba.geo import kinds


def test_probabilities_have_a_band_for_each_class(classes: ClassScheme) -> None:
    kind = kinds.probabilities(classes)
    assert kind.descriptions == classes.names
    assert (kind.num_bands, kind.dtype, kind.nodata) == (3, "uint8", 255)
    assert kind.scale == pytest.approx(1 / 254)


def test_float_scores_are_stored_as_they_are() -> None:
    scores = np.array([[[0.25, 0.5]]], dtype=np.float32)
    stored = kinds.encode_scores(scores, np.array([[True, False]]), dtype="float32")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, np.array([[[0.25, np.nan]]], np.float32))
    assert np.isnan(kinds.confidence(dtype="float32").nodata)


def test_stored_scores_are_right_to_half_a_step() -> None:
    scores = np.linspace(0, 1, 1001, dtype=np.float32)[None, None]
    stored = kinds.encode_scores(scores, np.ones((1, 1001), dtype=np.bool_))
    assert np.abs(stored * np.float32(kinds.confidence().scale) - scores).max() <= 0.501 / 254


def test_scores_of_invalid_pixels_may_be_anything() -> None:
    scores = np.array([[[np.nan, np.inf, -7.0, 1.0000001]]], dtype=np.float32)
    stored = kinds.encode_scores(scores, np.array([[False, False, False, True]]))
    assert stored.tolist() == [[[255, 255, 255, 254]]]


def test_other_types_of_scores_are_refused(classes: ClassScheme) -> None:
    with pytest.raises(OptionError, match="cannot be stored as int16; give uint8 or float32"):
        kinds.probabilities(classes, dtype="int16")
