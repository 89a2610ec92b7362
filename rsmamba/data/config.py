"""What a training run reads: chips of scenes, and their augmentation."""

from dataclasses import dataclass, field
from typing import Literal

from typing_extensions import override

from rsmamba.data.source import SourceConfig
from rsmamba.errors import OptionError

Sampling = Literal["area", "sqrt_area", "scene"]


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
        colour_probability: Share of chips whose brightness to saturation are changed, 0 to 1.
    """

    flips: bool = True
    scale: tuple[float, float] = (0.75, 1.5)
    brightness: float = 0.3
    contrast: float = 0.3
    band_shift: float = 0.1
    saturation: float = 0.4
    colour_probability: float = 0.8

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: If a strength is negative or a range is empty.
        """
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:
            msg = f"scale is {low} to {high}; give smallest, then largest, within 0.1 to 10"
            raise OptionError(msg)
        for name in ("brightness", "contrast", "band_shift", "saturation"):
            if not getattr(self, name) >= 0:
                msg = f"{name} is {getattr(self, name)}; give 0 (off) or more"
                raise OptionError(msg)
        if not 0 <= self.colour_probability <= 1:
            msg = f"colour_probability is {self.colour_probability}; give a share from 0 to 1"
            raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig(SourceConfig):
    """Scenes with labels, and how chips are drawn from them.

    Attributes:
        chip: Side of a training chip, pixels.
        chips_per_epoch: Chips drawn in one epoch.
        sampling: How often a scene is drawn: by its area, the root of its area, or all alike.
        augment: Random changes of the chips.
        cache_mb: Scenes are kept in memory while they fit into this many MiB together; what does
            not fit is read by windows.
    """

    chip: int = 256
    chips_per_epoch: int = 400
    sampling: Sampling = "sqrt_area"
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    cache_mb: int = 2048

    @override
    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If a size is below 1, or the source of scenes and labels is not usable.
        """
        # A dataclass with slots is made twice, and super() without arguments would mean the first.
        SourceConfig.__post_init__(self)
        if self.chip < 16 or self.chips_per_epoch < 1 or self.cache_mb < 0:
            msg = (
                f"chip is {self.chip}, chips_per_epoch {self.chips_per_epoch}, cache_mb "
                f"{self.cache_mb}; allowed are at least 16, 1 and 0"
            )
            raise OptionError(msg)
