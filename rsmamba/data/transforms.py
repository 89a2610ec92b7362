"""Random changes of chips: geometry by albumentations, then colour, then loss of quality.

Geometry never invents a label: masks are resized by nearest neighbour.
"""

import os
from typing import Any

import numpy as np

from rsmamba.data.colour import ColourChange
from rsmamba.data.config import AugmentConfig
from rsmamba.data.degrade import Degradation
from rsmamba.data.labelled import Sample
from rsmamba.data.statistics import BandStatistics
from rsmamba.errors import require

# OpenCV's codes: averaging keeps shrunken pixels free of aliasing and acts as bilinear otherwise.
_INTER_NEAREST, _INTER_AREA = 0, 3


class ChipTransform:
    """Bring a crop to chip size and change it at random.

    Args:
        chip: Side of the chip, pixels.
        augment: Strengths.
        statistics: Band statistics of the training pixels.
        ignore_index: Label of what is taken away from a chip.
    """

    def __init__(
        self,
        *,
        chip: int,
        augment: AugmentConfig,
        statistics: BandStatistics,
        ignore_index: int = 255,
    ) -> None:
        self.augment = augment
        self._mean = np.asarray(statistics.mean, np.float32)[:, None, None]  # (C, 1, 1)
        self._recolour = ColourChange(augment, statistics)
        self._degrade = Degradation(augment, statistics, ignore_index=ignore_index)
        self._geometry = _geometry(chip, flips=augment.flips)

    def __call__(self, crop: Sample, rng: np.random.Generator) -> Sample:
        """Change a crop.

        Args:
            crop: Square crop of any size.
            rng: Source of all randomness, so that a chip is a function of its seed.

        Returns:
            A sample of chip size with float32 pixels.
        """
        self._geometry.set_random_seed(int(rng.integers(2**31)))
        # Resizing mixes neighbours: pixels beside a gap shall meet the mean, not a nodata number.
        filled = np.where(crop.valid, crop.pixels.astype(np.float32), self._mean)  # (C, H, W)
        pixels = np.ascontiguousarray(filled.transpose(1, 2, 0))  # (H, W, C)
        changed = self._geometry(image=pixels, masks=[crop.labels, crop.valid.astype(np.uint8)])
        image = np.ascontiguousarray(changed["image"].reshape(*changed["image"].shape[:2], -1))
        labels, valid = changed["masks"]
        pixels = image.transpose(2, 0, 1)  # (C, H, W)
        if rng.random() < self.augment.colour_probability:
            pixels = self._recolour(pixels, rng)
        chip = Sample(
            pixels=np.ascontiguousarray(pixels, np.float32),
            valid=np.ascontiguousarray(valid) > 0,
            labels=np.ascontiguousarray(labels),
        )
        return self._degrade(chip, rng)


def _geometry(chip: int, *, flips: bool) -> Any:  # noqa: ANN401  # the package has no types
    """Albumentations pipeline: resize to the chip, then one of the eight symmetries."""
    # The package asks a server for its newest version when it is imported, unless told not to.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    albumentations = require("albumentations", extra="train")
    steps = [
        albumentations.Resize(
            chip, chip, interpolation=_INTER_AREA, mask_interpolation=_INTER_NEAREST
        )
    ]
    if flips:
        steps.append(albumentations.D4(p=1.0))
    return albumentations.Compose(steps)
