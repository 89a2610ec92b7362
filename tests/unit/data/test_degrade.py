"""Blur, noise, holes and mosaics: pixels lose, labels are never invented."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rsmamba.data import AugmentConfig, BandStatistics, Sample
from rsmamba.data.chips import join_corners
from rsmamba.data.config import HoleLabels
from rsmamba.data.degrade import Degradation
from rsmamba.errors import OptionError

ALWAYS = AugmentConfig(degrade_probability=1.0)
STATISTICS = BandStatistics(mean=(50.0, 70.0), std=(10.0, 20.0))


def a_chip(*, seed: int = 0, side: int = 40) -> Sample:
    rng = np.random.default_rng(seed)
    return Sample(
        pixels=rng.normal(50, 10, (2, side, side)).astype(np.float32),
        valid=rng.random((side, side)) < 0.9,
        labels=rng.choice(np.array([0, 4, 255], np.uint8), (side, side)),
    )


def degrade(chip: Sample, *, seed: int = 0, **options: Any) -> Sample:  # noqa: ANN401
    change = Degradation(replace(ALWAYS, **options), STATISTICS, ignore_index=255)
    return change(chip, np.random.default_rng(seed))


def test_nothing_is_changed_and_no_number_drawn_by_default() -> None:
    chip, rng = a_chip(), np.random.default_rng(0)
    assert Degradation(AugmentConfig(), STATISTICS, ignore_index=255)(chip, rng) is chip
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_blur_smooths_each_band_by_itself_and_keeps_its_mean() -> None:
    chip = a_chip()
    blurred = [degrade(chip, blur=2.0, seed=seed).pixels for seed in range(10)]
    spreads = [pixels.std(axis=(1, 2)).max() for pixels in blurred]
    assert min(spreads) < 4 < max(spreads) < 10.5
    for pixels in blurred:
        assert pixels.dtype == np.float32
        assert np.allclose(pixels.mean(axis=(1, 2)), chip.pixels.mean(axis=(1, 2)), atol=1)


def test_noise_is_measured_in_the_spread_of_the_band() -> None:
    chip = a_chip(side=100)
    added = np.array(
        [
            (degrade(chip, noise=0.5, seed=s).pixels - chip.pixels).std(axis=(1, 2))
            for s in range(20)
        ]
    )
    assert np.allclose(added[:, 1] / added[:, 0], 2, rtol=0.05)
    assert 3 < added[:, 0].max() < 5.2


def test_blur_and_noise_leave_labels_and_validity_alone() -> None:
    chip = a_chip()
    changed = degrade(chip, blur=2.0, noise=0.5)
    assert changed.labels is chip.labels
    assert changed.valid is chip.valid


@pytest.mark.parametrize("hole_labels", ["keep", "ignore"])
def test_holes_hold_the_mean_and_are_not_valid(hole_labels: HoleLabels) -> None:
    chip = a_chip()
    before = (chip.pixels.copy(), chip.valid.copy(), chip.labels.copy())
    for seed in range(10):
        cut = degrade(chip, holes=3, hole_size=0.5, hole_labels=hole_labels, seed=seed)
        gone = chip.valid & ~cut.valid
        assert 0 < gone.sum() <= 3 * 20 * 20
        assert (cut.pixels[:, gone] == np.array([[50.0], [70.0]])).all()
        assert np.array_equal(cut.pixels[:, cut.valid], chip.pixels[:, cut.valid])
        assert np.array_equal(cut.labels[cut.valid], chip.labels[cut.valid])
        expected = chip.labels[gone] if hole_labels == "keep" else np.uint8(255)
        assert (cut.labels[gone] == expected).all()
    assert all(map(np.array_equal, before, (chip.pixels, chip.valid, chip.labels)))


def test_holes_may_be_as_large_as_the_chip_or_one_pixel() -> None:
    assert degrade(a_chip(side=1), holes=1, hole_size=0.01).valid.shape == (1, 1)
    for seed in range(20):
        assert degrade(a_chip(side=3), holes=2, hole_size=1.0, seed=seed).labels.shape == (3, 3)


def test_a_share_of_the_chips_is_degraded() -> None:
    chip = a_chip()
    kept = [
        degrade(chip, noise=0.5, degrade_probability=0.5, seed=seed) is chip for seed in range(60)
    ]
    assert 15 < sum(kept) < 45


def test_a_mosaic_holds_each_corner_as_it_is() -> None:
    chips = [a_chip(seed=seed) for seed in range(4)]
    for seed in range(10):
        joined = join_corners(chips, np.random.default_rng(seed))
        for number, (rows, cols) in enumerate(
            (rows, cols)
            for rows in (slice(0, 10), slice(30, 40))
            for cols in (slice(0, 10), slice(30, 40))
        ):
            own = chips[number]
            assert np.array_equal(joined.pixels[:, rows, cols], own.pixels[:, rows, cols])
            assert np.array_equal(joined.valid[rows, cols], own.valid[rows, cols])
            assert np.array_equal(joined.labels[rows, cols], own.labels[rows, cols])


def test_every_pixel_of_a_mosaic_is_one_of_the_four() -> None:
    chips = [a_chip(seed=seed) for seed in range(4)]
    joined = join_corners(chips, np.random.default_rng(0))
    one_of = np.any(
        [
            (c.pixels == joined.pixels).all(axis=0)
            & (c.labels == joined.labels)
            & (c.valid == joined.valid)
            for c in chips
        ],
        axis=0,
    )
    assert one_of.all()
    assert joined.pixels.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"gamma": -0.1}, "gamma is -0.1; give 0 .off. or more"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"holes": -1}, "holes is -1; give 0 .off. or more"),
        ({"hole_size": 0.0}, "hole_size is 0.0; give a share of the chip's side above 0"),
        ({"mosaic": 1.5}, "mosaic is 1.5; give a share from 0 to 1"),
        ({"degrade_probability": -0.5}, "degrade_probability is -0.5; give a share"),
    ],
)
def test_wrong_strengths_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        AugmentConfig(**values)
