"""Random loss of quality of a chip: blur, noise and holes."""

import numpy as np
from scipy import ndimage

from rsmamba.data.config import AugmentConfig
from rsmamba.data.labelled import Sample
from rsmamba.data.statistics import BandStatistics


class Degradation:
    """Blur a chip, add noise to it and cut holes into it.

    What is off draws no random number.

    Args:
        augment: Strengths.
        statistics: Band statistics of the training pixels.
        ignore_index: Label of holes whose labels are not kept.
    """

    def __init__(
        self, augment: AugmentConfig, statistics: BandStatistics, *, ignore_index: int
    ) -> None:
        self.augment = augment
        self.ignore_index = ignore_index
        self._mean = np.asarray(statistics.mean, np.float32)[:, None, None]  # (C, 1, 1)
        self._std = np.asarray(statistics.std, np.float32)[:, None, None]  # (C, 1, 1)

    def __call__(self, chip: Sample, rng: np.random.Generator) -> Sample:
        """Change a chip.

        Args:
            chip: Chip with float32 pixels.
            rng: Source of all randomness.

        Returns:
            The changed chip; the given one is left as it was.
        """
        options = self.augment
        if (options.blur or options.noise) and rng.random() < options.degrade_probability:
            chip = self._blurred(chip, rng)
        if options.holes and rng.random() < options.degrade_probability:
            chip = self._with_holes(chip, rng)
        return chip

    def _blurred(self, chip: Sample, rng: np.random.Generator) -> Sample:
        """Blur the pixels by a Gaussian and add Gaussian noise."""
        pixels = chip.pixels
        if self.augment.blur:
            # By scipy, since OpenCV's filter takes four bands at most.
            sigma = rng.uniform(0, self.augment.blur)
            pixels = ndimage.gaussian_filter(pixels, (0, sigma, sigma), mode="nearest")
        if self.augment.noise:
            strength = np.float32(rng.uniform(0, self.augment.noise)) * self._std
            pixels = pixels + strength * rng.standard_normal(pixels.shape, np.float32)
        return Sample(pixels=pixels, valid=chip.valid, labels=chip.labels)

    def _with_holes(self, chip: Sample, rng: np.random.Generator) -> Sample:
        """Take the pixels of a few rectangles away."""
        options = self.augment
        pixels, valid, labels = chip.pixels.copy(), chip.valid.copy(), chip.labels.copy()
        sides = np.array(valid.shape)
        for _ in range(int(rng.integers(1, options.holes + 1))):
            size = np.maximum(1, sides * rng.uniform(0, options.hole_size, 2)).astype(int)
            row, col = rng.integers(sides - size + 1)
            place = slice(row, row + size[0]), slice(col, col + size[1])
            pixels[:, *place] = self._mean
            valid[place] = False
            if options.hole_labels == "ignore":
                labels[place] = self.ignore_index
        return Sample(pixels=pixels, valid=valid, labels=labels)
