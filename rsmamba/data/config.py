"""What a training run reads: folders, classes, chips and augmentation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rsmamba.classes import ClassScheme
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
class DataConfig:
    """Where images and label rasters are and how chips are drawn from them.

    An image and its label raster have the same file name without extension, apart from
    `mask_suffix`. Relative folders count from `root`, and `root` from the working directory.

    Attributes:
        root: Folder that holds the images and masks; "~" stands for the home folder.
        images: Folder of the images below root.
        masks: Folder of the label rasters below root; may be the same folder.
        mask_suffix: Ending of the mask's stem that the image's stem lacks, such as "_labels".
        train: Glob patterns of image stems to train on, such as "tile1_*".
        validation: Glob patterns of image stems to validate on; give these or `validation_share`.
        validation_share: Share of the rows of each train scene, at its bottom, to validate on
            instead, 0 to below 1. Pixels on both sides of the cut are alike, so that scenes of
            their own tell more.
        classes: Names and colours of the classes, and the ignore index.
        label_map: Label value in the files to class index or ignore index, for values that
            differ; others stay as they are.
        bidx: Bands of the images to use, 1-based; None takes all but an alpha band.
        band_names: One name a band for the model file; None leaves them unnamed.
        gsd_m: Ground sample distance of the images for the model file, metres per pixel.
        chip: Side of a training chip, pixels.
        chips_per_epoch: Chips drawn in one epoch.
        sampling: How often a scene is drawn: by its area, the root of its area, or all alike.
        augment: Random changes of the chips.
        cache_mb: Scenes are kept in memory while they fit into this many MiB together; what does
            not fit is read by windows.
    """

    root: Path
    train: tuple[str, ...]
    classes: ClassScheme
    validation: tuple[str, ...] = ()
    validation_share: float = 0.0
    images: str = "images"
    masks: str = "masks"
    mask_suffix: str = ""
    label_map: dict[int, int] = field(default_factory=dict)
    bidx: tuple[int, ...] | None = None
    band_names: tuple[str, ...] | None = None
    gsd_m: float | None = None
    chip: int = 256
    chips_per_epoch: int = 400
    sampling: Sampling = "sqrt_area"
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    cache_mb: int = 2048

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If a split is empty or given twice, a size is below 1, or a label is mapped
                to something that is neither a class index nor the ignore index.
        """
        object.__setattr__(self, "root", self.root.expanduser())
        self._check_splits()
        if self.chip < 16 or self.chips_per_epoch < 1 or self.cache_mb < 0:
            msg = (
                f"chip is {self.chip}, chips_per_epoch {self.chips_per_epoch}, cache_mb "
                f"{self.cache_mb}; allowed are at least 16, 1 and 0"
            )
            raise OptionError(msg)
        if self.gsd_m is not None and not self.gsd_m > 0:
            msg = f"gsd_m is {self.gsd_m}; give metres a pixel above 0, or leave it out"
            raise OptionError(msg)
        allowed = {*range(self.classes.num_classes), self.classes.ignore_index}
        for value, target in self.label_map.items():
            if target not in allowed:
                msg = (
                    f"label_map sends {value} to {target}; allowed are the class indices 0 to "
                    f"{self.classes.num_classes - 1} and the ignore index "
                    f"{self.classes.ignore_index}"
                )
                raise OptionError(msg)

    def _check_splits(self) -> None:
        """Refuse to train or to validate on nothing."""
        if not self.train:
            msg = "train is empty; give at least one glob pattern of image names"
            raise OptionError(msg)
        if not 0 <= self.validation_share < 1 or bool(self.validation) == bool(
            self.validation_share
        ):
            msg = (
                f"validation is {list(self.validation)} and validation_share "
                f"{self.validation_share}; give either glob patterns of image names, or a share "
                "above 0 and below 1 of the train scenes"
            )
            raise OptionError(msg)
