"""Calibration: counted in parts, worked out by hand."""

import numpy as np
import pytest

from rsmamba.errors import DataError, OptionError, ShapeError
from rsmamba.metrics import CalibrationCounter


def test_diagram_worked_out_by_hand() -> None:
    counter = CalibrationCounter(4)
    counter.add(np.array([0.1, 0.2]), np.array([False, True]))
    counter.add(np.array([[0.8, 0.9, 1.0]]), np.array([[True, True, False]]))
    result = counter.result()
    assert result.pixels.tolist() == [2, 0, 0, 3]
    assert result.confidence.tolist() == pytest.approx([0.15, 0, 0, 0.9])
    assert result.accuracy.tolist() == pytest.approx([0.5, 0, 0, 2 / 3])
    assert result.expected_error == pytest.approx((2 * 0.35 + 3 * (0.9 - 2 / 3)) / 5)
    assert result.largest_error == pytest.approx(0.35)


def test_nothing_counted_is_no_error() -> None:
    assert CalibrationCounter().result().expected_error == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"shape \(2,\) and right pixels \(3,\)"):
        CalibrationCounter().add(np.zeros(2), np.zeros(3, np.bool_))


@pytest.mark.parametrize(("value", "text"), [(-0.1, "-0.1"), (1.5, "1.5"), (np.nan, "nan")])
def test_values_that_are_no_confidence_are_refused(value: float, text: str) -> None:
    with pytest.raises(DataError, match=f"a confidence is {text} .1 pixels.; give 0 to 1"):
        CalibrationCounter().add(np.array([0.5, value]), np.array([True, True]))


@pytest.mark.parametrize("num_bins", [0, 1001])
def test_number_of_bins_is_checked(num_bins: int) -> None:
    with pytest.raises(OptionError, match=f"{num_bins} bins of confidence are not possible"):
        CalibrationCounter(num_bins)
