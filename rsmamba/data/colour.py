"""Random changes of the colours of a chip, measured in the statistics of its bands.

Strengths mean the same for 8-bit RGB and 16-bit multispectral pixels and any number of bands. What
is off draws no random number, so that adding a change here leaves the chips of older runs as they
were.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rsmamba.data.config import AugmentConfig
from rsmamba.data.statistics import BandStatistics
from rsmamba.errors import OptionError

# Gamma works on the share of the way from this many standard deviations below the mean to as many
# above it.
_REACH = 3.0

Pixels = NDArray[np.float32]


class ColourChange:
    """Change brightness, contrast, colour balance, saturation, hue and gamma.

    Args:
        augment: Strengths.
        statistics: Band statistics of the training pixels.

    Raises:
        OptionError: If the hue shall change and there are fewer than three bands.
    """

    def __init__(self, augment: AugmentConfig, statistics: BandStatistics) -> None:
        if augment.hue_degrees and len(statistics.mean) < 3:
            msg = (
                f"augment.hue_degrees is {augment.hue_degrees} and the images have "
                f"{len(statistics.mean)} band(s); hue needs three, give 0"
            )
            raise OptionError(msg)
        self.augment = augment
        self._mean = np.asarray(statistics.mean, np.float32)[:, None, None]  # (C, 1, 1)
        self._std = np.asarray(statistics.std, np.float32)[:, None, None]  # (C, 1, 1)

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Change the colours.

        Args:
            pixels: Pixel values (C, H, W).
            rng: Source of all randomness.

        Returns:
            Changed values (C, H, W).
        """
        strength = self.augment
        z = (pixels - self._mean) / self._std
        grey = z.mean(axis=0, keepdims=True)
        z = grey + (z - grey) * np.float32(1 + rng.uniform(-1, 1) * strength.saturation)
        z *= np.float32((1 + strength.contrast) ** rng.uniform(-1, 1))
        z += np.float32(rng.uniform(-1, 1) * strength.brightness)
        shift = rng.uniform(-1, 1, (len(z), 1, 1)) * strength.band_shift
        z += shift.astype(np.float32)
        if strength.hue_degrees:
            angle = math.radians(rng.uniform(-1, 1) * strength.hue_degrees)
            z[:3] = np.tensordot(turn_round_grey(angle), z[:3], axes=1)  # (3, H, W)
        if strength.gamma:
            z = _bend(z, (1 + strength.gamma) ** rng.uniform(-1, 1))
        pixels = z * self._std + self._mean
        if strength.band_gain:
            gain = (1 + strength.band_gain) ** rng.uniform(-1, 1, (len(pixels), 1, 1))
            pixels = pixels * gain.astype(np.float32)
        return pixels


def turn_round_grey(angle: float) -> Pixels:
    """Make the rotation of three bands that leaves grey as it is.

    Args:
        angle: Angle, radians.

    Returns:
        Matrix (3, 3) by Rodrigues' formula about the axis (1, 1, 1).
    """
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float64) / math.sqrt(3)
    matrix = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return matrix.astype(np.float32)


def _bend(z: Pixels, gamma: float) -> Pixels:
    """Raise values between the ends of the reach to a power; those below its start stay."""
    share = (z + _REACH) / (2 * _REACH)
    bent = np.where(share > 0, np.maximum(share, 0) ** np.float32(gamma), share)
    return (bent * (2 * _REACH) - _REACH).astype(np.float32)
