"""Colour changes: what each option does to known pixels, and what is off draws no number."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rsmamba.data import AugmentConfig, BandStatistics
from rsmamba.data.colour import ColourChange, turn_round_grey
from rsmamba.errors import OptionError

OFF = AugmentConfig(brightness=0.0, contrast=0.0, band_shift=0.0, saturation=0.0)


def change(pixels: np.ndarray, *, seed: int = 0, **strengths: Any) -> np.ndarray:  # noqa: ANN401
    statistics = BandStatistics(mean=(1000.0,) * len(pixels), std=(100.0,) * len(pixels))
    recolour = ColourChange(replace(OFF, **strengths), statistics)
    return recolour(pixels.astype(np.float32), np.random.default_rng(seed))


def a_ramp(bands: int) -> np.ndarray:
    """Values over four standard deviations on both sides of the mean (bands, 1, 81)."""
    return np.broadcast_to(np.linspace(600, 1400, 81), (bands, 1, 81)).astype(np.float32)


def test_nothing_changes_without_strengths() -> None:
    assert np.allclose(change(a_ramp(4)), a_ramp(4), atol=1e-3)


def test_gamma_keeps_order_and_the_ends_of_its_reach() -> None:
    ramp = np.array([[[600.0, 700.0, 1000.0, 1300.0, 1400.0]]])
    moved = []
    for seed in range(20):
        low, start, middle, end, high = change(ramp, gamma=0.5, seed=seed)[0, 0]
        assert low == pytest.approx(600, abs=0.01)
        assert start == pytest.approx(700, abs=0.01)
        assert end == pytest.approx(1300, abs=0.01)
        assert start < middle < end < high
        moved.append((middle - 700) / 600)
    assert 0.5**1.5 - 1e-4 <= min(moved) < 0.45
    assert 0.55 < max(moved) <= 0.5 ** (1 / 1.5) + 1e-4


def test_band_gain_multiplies_each_band_by_itself() -> None:
    factors = np.array([change(a_ramp(5), band_gain=0.2, seed=s) / a_ramp(5) for s in range(20)])
    assert np.allclose(factors, factors[..., :1], rtol=1e-5)
    assert 1 / 1.2 - 1e-4 <= factors.min() < 0.9
    assert 1.1 < factors.max() <= 1.2 + 1e-4
    assert (np.ptp(factors[..., 0, 0], axis=1) > 0.01).all()


def test_hue_leaves_grey_brightness_and_further_bands_alone() -> None:
    grey = change(a_ramp(4), hue_degrees=90.0)
    assert np.allclose(grey, a_ramp(4), atol=0.01)
    pixels = np.random.default_rng(0).normal(1000, 100, (4, 6, 6)).astype(np.float32)
    turned = change(pixels, hue_degrees=90.0)
    assert np.allclose(turned[:3].mean(axis=0), pixels[:3].mean(axis=0), atol=0.01)
    assert np.allclose(turned[3], pixels[3], atol=0.01)
    assert np.abs(turned[:3] - pixels[:3]).max() > 10


def test_a_third_of_a_turn_moves_each_band_to_the_next() -> None:
    expected = np.roll(np.eye(3), 1, axis=0)
    assert np.allclose(turn_round_grey(2 * np.pi / 3), expected, atol=1e-6)


def test_hue_needs_three_bands() -> None:
    with pytest.raises(OptionError, match=r"hue_degrees is 10.0 and the images have 2 band.s."):
        change(a_ramp(2), hue_degrees=10.0)


@pytest.mark.parametrize("name", ["hue_degrees", "gamma", "band_gain"])
def test_what_is_off_draws_no_number(name: str) -> None:
    statistics = BandStatistics(mean=(1000.0,) * 3, std=(100.0,) * 3)
    states = []
    for strength in (0.0, 0.3):
        rng = np.random.default_rng(0)
        options: dict[str, Any] = {name: strength}
        ColourChange(replace(OFF, **options), statistics)(a_ramp(3), rng)
        states.append(rng.bit_generator.state["state"]["state"])
    rng = np.random.default_rng(0)
    rng.uniform(size=6)  # saturation, contrast, brightness and the shifts of three bands
    assert states[0] == rng.bit_generator.state["state"]["state"] != states[1]
