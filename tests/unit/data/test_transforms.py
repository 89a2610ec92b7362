"""Random changes of chips: no label is invented, and gaps do not bleed into their neighbours."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rsmamba.data import AugmentConfig, BandStatistics, Sample
from rsmamba.data.transforms import ChipTransform

STILL = AugmentConfig(flips=False, scale=(1.0, 1.0), colour_probability=0.0)


def make_transform(augment: AugmentConfig, *, bands: int = 1, chip: int = 16) -> ChipTransform:
    statistics = BandStatistics(mean=(1000.0,) * bands, std=(100.0,) * bands)
    return ChipTransform(chip=chip, augment=augment, statistics=statistics)


def make_crop(side: int, *, bands: int = 1, seed: int = 0) -> Sample:
    """Noise of 12 bits with labels 0, 7 and the ignore index."""
    rng = np.random.default_rng(seed)
    return Sample(
        pixels=rng.integers(500, 4000, (bands, side, side)).astype(np.uint16),
        valid=np.ones((side, side), np.bool_),
        labels=rng.choice(np.array([0, 7, 255], np.uint8), (side, side)),
    )


@pytest.mark.parametrize("side", [1, 11, 16, 40])
def test_resizing_invents_no_label(side: int) -> None:
    crop = make_crop(side)
    chip = make_transform(AugmentConfig())(crop, np.random.default_rng(0))
    assert chip.labels.shape == chip.valid.shape == chip.pixels.shape[1:] == (16, 16)
    assert set(np.unique(chip.labels)) <= set(np.unique(crop.labels))


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7, 13])
def test_any_number_of_bands_keeps_its_order(bands: int) -> None:
    crop = make_crop(16, bands=bands)
    chip = make_transform(STILL, bands=bands)(crop, np.random.default_rng(0))
    assert np.array_equal(chip.pixels, crop.pixels)
    larger = make_transform(STILL, bands=bands, chip=32)(crop, np.random.default_rng(0))
    means = larger.pixels.mean(axis=(1, 2))
    assert means == pytest.approx(crop.pixels.mean(axis=(1, 2)), rel=0.02)


def test_gaps_hold_the_mean_and_do_not_bleed() -> None:
    """Nodata numbers are far from measured ones, so resizing must not mix them in."""
    pixels = np.full((1, 32, 32), 1000, np.float32)
    valid = np.ones((32, 32), np.bool_)
    pixels[:, 10:21, 5:9], valid[10:21, 5:9] = -9999, False
    crop = Sample(pixels=pixels, valid=valid, labels=np.zeros((32, 32), np.uint8))
    chip = make_transform(STILL)(crop, np.random.default_rng(0))
    assert (chip.pixels == 1000).all()
    assert 0 < (~chip.valid).sum() < chip.valid.size


def test_all_eight_symmetries_occur() -> None:
    crop = make_crop(16)
    transform = make_transform(replace(STILL, flips=True))
    seen = {transform(crop, np.random.default_rng(i)).labels.tobytes() for i in range(60)}
    turned = [np.rot90(labels, k) for labels in (crop.labels, crop.labels.T) for k in range(4)]
    assert seen == {np.ascontiguousarray(labels).tobytes() for labels in turned}


@pytest.mark.parametrize(
    ("name", "strength", "largest"),
    [("brightness", 0.5, 50.0), ("band_shift", 0.2, 20.0), ("contrast", 0.0, 0.0)],
)
def test_shifts_are_measured_in_standard_deviations(
    name: str, strength: float, largest: float
) -> None:
    none: dict[str, Any] = {
        "brightness": 0.0,
        "contrast": 0.0,
        "band_shift": 0.0,
        "saturation": 0.0,
    }
    augment = replace(STILL, colour_probability=1.0, **(none | {name: strength}))
    crop, transform = make_crop(16, bands=3), make_transform(augment, bands=3)
    shifts = np.array(
        [
            (transform(crop, np.random.default_rng(i)).pixels - crop.pixels).mean(axis=(1, 2))
            for i in range(40)
        ]
    )
    assert np.abs(shifts).max() <= largest + 0.01
    assert np.abs(shifts).max() >= 0.8 * largest
    assert bool((np.ptp(shifts, axis=1) > 1).any()) == (name == "band_shift")


def test_colours_change_in_the_given_share_of_chips() -> None:
    crop, transform = make_crop(16), make_transform(replace(STILL, colour_probability=0.5))
    kept = [
        np.array_equal(transform(crop, np.random.default_rng(i)).pixels, crop.pixels)
        for i in range(60)
    ]
    assert 15 < sum(kept) < 45
