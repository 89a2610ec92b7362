"""What a training run reads: chips of scenes, and their augmentation."""

import math
from dataclasses import dataclass, field
from typing import Literal

from typing_extensions import override

from rsmamba.data.source import SourceConfig
from rsmamba.errors import OptionError

Sampling = Literal["area", "sqrt_area", "scene"]
HoleLabels = Literal["keep", "ignore"]

_STRENGTHS = (
    "brightness", "contrast", "band_shift", "saturation", "hue_degrees", "gamma", "band_gain",
    "blur", "noise", "holes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Random changes of training chips; none of them invents a label.

    Attributes:
        flips: Flip and rotate by multiples of 90 degrees.
        scale: Smallest and largest zoom; 2 makes things twice as large in the chip.
        brightness: Largest shift of all bands, in standard deviations of the band.
        contrast: Largest relative change of contrast; 0.3 gives factors 1/1.3 to 1.3.
        band_shift: Largest shift of each band by itself, in standard deviations.
        saturation: Largest change of the difference between bands; 0.5 gives 0.5 to 1.5.
        hue_degrees: Largest turn of the colours of the first three bands round grey, degrees.
        gamma: Largest relative change of gamma; 0.3 gives exponents 1/1.3 to 1.3 between three
            standard deviations below and above the mean.
        band_gain: Largest relative change of the values of each band by itself; 0.1 gives factors
            1/1.1 to 1.1.
        colour_probability: Share of chips whose colours (brightness to band_gain) are changed, 0
            to 1.
        blur: Largest standard deviation of a Gaussian blur, pixels.
        noise: Largest standard deviation of noise, in standard deviations of the band.
        holes: Largest number of rectangles whose pixels are taken away.
        hole_size: Largest side of such a rectangle, as a share of the chip's, above 0 to 1.
        hole_labels: "keep" lets the labels of holes be guessed from around, "ignore" leaves them
            out.
        degrade_probability: Share of chips that are blurred and noisy, and share of chips with
            holes, drawn apart, 0 to 1.
        mosaic: Share of chips that are joined of the corners of four, 0 to 1.
    """

    flips: bool = True
    scale: tuple[float, float] = (0.75, 1.5)
    brightness: float = 0.3
    contrast: float = 0.3
    band_shift: float = 0.1
    saturation: float = 0.4
    hue_degrees: float = 0.0
    gamma: float = 0.0
    band_gain: float = 0.0
    colour_probability: float = 0.8
    blur: float = 0.0
    noise: float = 0.0
    holes: int = 0
    hole_size: float = 0.2
    hole_labels: HoleLabels = "keep"
    degrade_probability: float = 0.5
    mosaic: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: If a strength is negative or a range is empty.
        """
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:
            msg = f"scale is {low} to {high}; give smallest, then largest, within 0.1 to 10"
            raise OptionError(msg)
        for name in _STRENGTHS:
            if not 0 <= getattr(self, name) < math.inf:
                msg = f"{name} is {getattr(self, name)}; give 0 (off) or more"
                raise OptionError(msg)
        for name in ("colour_probability", "degrade_probability", "mosaic"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name} is {getattr(self, name)}; give a share from 0 to 1"
                raise OptionError(msg)
        if not 0 < self.hole_size <= 1:
            msg = f"hole_size is {self.hole_size}; give a share of the chip's side above 0, up to 1"
            raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig(SourceConfig):
    """Scenes with labels, and how chips are drawn from them.

    Attributes:
        chip: Side of a training chip, pixels.
        chips_per_epoch: Chips drawn in one epoch.
        sampling: How often a scene is drawn: by its area, the root of its area, or all alike.
        class_crops: Share of chips that are placed on a pixel of a class that is drawn first, so
            that rare classes are seen more often, 0 to 1; `sampling` does not count for them.
        class_crops_power: A class is drawn by its number of training pixels to the power of minus
            this: 0 draws all classes alike, 1 by how rare they are.
        augment: Random changes of the chips.
        cache_mb: Scenes are kept in memory while they fit into this many MiB together; what does
            not fit is read by windows.
    """

    chip: int = 256
    chips_per_epoch: int = 400
    sampling: Sampling = "sqrt_area"
    class_crops: float = 0.0
    class_crops_power: float = 0.0
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    cache_mb: int = 2048

    @override
    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If a size is below 1, a share outside its range, or the source of scenes
                and labels not usable.
        """
        # A dataclass with slots is made twice, and super() without arguments would mean the first.
        SourceConfig.__post_init__(self)
        if self.chip < 16 or self.chips_per_epoch < 1 or self.cache_mb < 0:
            msg = (
                f"chip is {self.chip}, chips_per_epoch {self.chips_per_epoch}, cache_mb "
                f"{self.cache_mb}; allowed are at least 16, 1 and 0"
            )
            raise OptionError(msg)
        if not 0 <= self.class_crops <= 1 or not 0 <= self.class_crops_power < math.inf:
            msg = (
                f"class_crops is {self.class_crops} and class_crops_power "
                f"{self.class_crops_power}; give a share from 0 to 1, and 0 or more"
            )
            raise OptionError(msg)
