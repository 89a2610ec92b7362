"""Random training chips; each is a function of (seed, epoch, index) alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler
from typing_extensions import override

from rsmamba.data.class_places import ClassPlaces, Place
from rsmamba.data.config import DataConfig, Sampling
from rsmamba.data.labelled import LabelledScene, Sample
from rsmamba.data.statistics import BandStatistics
from rsmamba.data.transforms import ChipTransform

Batch = dict[str, Any]


class ChipDataset(Dataset[Batch]):
    """Random chips of labelled scenes.

    An item holds `pixels` (C, chip, chip) float32, `valid` (chip, chip) bool and `labels`
    (chip, chip) int64 with the ignore index where nothing is to be learnt.

    Args:
        scenes: Training scenes.
        config: Chip size, sampling and augmentation.
        statistics: Band statistics of the scenes.
        seed: Seed of the run.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        *,
        config: DataConfig,
        statistics: BandStatistics,
        seed: int,
    ) -> None:
        self.scenes = list(scenes)
        self.seed = seed
        self._chip = config.chip
        self._scale = config.augment.scale
        self._ignore_index = config.classes.ignore_index
        self._shares = scene_shares(self.scenes, config.sampling)
        self._class_crops = config.class_crops
        self._places = (
            ClassPlaces(self.scenes, power=config.class_crops_power) if config.class_crops else None
        )
        self._mosaic = config.augment.mosaic
        self._transform = ChipTransform(
            chip=config.chip,
            augment=config.augment,
            statistics=statistics,
            ignore_index=self._ignore_index,
        )

    @override
    def __getitem__(self, key: tuple[int, int]) -> Batch:
        """Draw one chip.

        Args:
            key: Epoch and index in the epoch, as EpochSampler gives them.

        Returns:
            The chip as tensors.
        """
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        # Options that are off draw no number, so that chips of older runs stay what they were.
        if self._mosaic and rng.random() < self._mosaic:
            chip = join_corners([self._draw(rng) for _ in range(4)], rng)
        else:
            chip = self._draw(rng)
        return {
            "pixels": torch.from_numpy(chip.pixels),
            "valid": torch.from_numpy(chip.valid),
            "labels": torch.from_numpy(chip.labels.astype(np.int64)),
        }

    def _draw(self, rng: np.random.Generator) -> Sample:
        """Draw a crop and change it."""
        if self._places is not None and rng.random() < self._class_crops:
            around: Place | None = self._places.draw(rng)
        else:
            around = None
        number = (
            int(rng.choice(len(self.scenes), p=self._shares)) if around is None else around.scene
        )
        zoom = float(np.exp(rng.uniform(*np.log(self._scale))))
        crop = random_crop(
            self.scenes[number],
            side=max(1, round(self._chip / zoom)),
            ignore=self._ignore_index,
            rng=rng,
            around=around,
        )
        return self._transform(crop, rng)


class EpochSampler(Sampler[tuple[int, int]]):
    """Give (epoch, index) keys, so that a chip does not depend on who loads it.

    Args:
        length: Chips of an epoch.
        epoch: Epoch of the first iteration, counted from 0.
        start: First chip of that epoch; later epochs begin at 0.
        batch_size: Chips of a batch, which several processes divide; start and length are
            multiples of it where there are several.
        part: Which part of every batch is given, from 0.
        parts: Parts of a batch.
    """

    def __init__(
        self,
        length: int,
        *,
        epoch: int = 0,
        start: int = 0,
        batch_size: int = 1,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        self.length = length
        self._share = batch_size // parts
        self._part = part
        self._parts = parts
        self.epoch = epoch
        self.start = start

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration.

        Args:
            epoch: Epoch, counted from 0.
        """
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __len__(self) -> int:
        return self.length // self._parts

    @override
    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch
        return (
            (epoch, index)
            for index in range(self.start, self.length)
            if self._parts == 1 or index // self._share % self._parts == self._part
        )


def scene_shares(scenes: Sequence[LabelledScene], sampling: Sampling) -> np.ndarray[Any, Any]:
    """Compute how often each scene is drawn.

    Args:
        scenes: Training scenes.
        sampling: By area, by the root of the area, or all alike.

    Returns:
        Probabilities (scenes,) that sum to 1.
    """
    power = {"area": 1.0, "sqrt_area": 0.5, "scene": 0.0}[sampling]
    weights = np.array([scene.height * scene.width for scene in scenes], np.float64) ** power
    return weights / weights.sum()


def random_crop(
    scene: LabelledScene,
    *,
    side: int,
    ignore: int,
    rng: np.random.Generator,
    around: Place | None = None,
) -> Sample:
    """Cut a square crop at a random place.

    Where the scene is smaller than the crop the image is continued by reflection and the labels
    by the ignore index.

    Args:
        scene: Scene to cut from.
        side: Side of the crop, pixels.
        ignore: Label value of padding.
        rng: Source of randomness.
        around: Pixel that the crop shall hold; None leaves the place open.

    Returns:
        The crop.
    """
    height, width = min(side, scene.height), min(side, scene.width)
    first_row, first_col, last_row, last_col = 0, 0, scene.height - height, scene.width - width
    if around is not None:
        first_row, last_row = max(0, around.row - height + 1), min(around.row, last_row)
        first_col, last_col = max(0, around.col - width + 1), min(around.col, last_col)
    row = int(rng.integers(first_row, last_row + 1))
    col = int(rng.integers(first_col, last_col + 1))
    crop = scene.read(row=row, col=col, height=height, width=width)
    if height == side and width == side:
        return crop
    above, left = (side - height) // 2, (side - width) // 2
    pad = ((above, side - height - above), (left, side - width - left))
    return Sample(
        pixels=np.pad(crop.pixels, ((0, 0), *pad), mode="reflect"),
        valid=np.pad(crop.valid, pad, mode="reflect"),
        labels=np.pad(crop.labels, pad, constant_values=ignore),
    )


def join_corners(chips: Sequence[Sample], rng: np.random.Generator) -> Sample:
    """Join the upper left, upper right, lower left and lower right part of four chips.

    Pixels, validity and labels are those of the chips, at the same place; nothing is resized.

    Args:
        chips: Four chips of one size.
        rng: Source of randomness for the point where the parts meet, which lies in the middle half
            of the chip.

    Returns:
        A chip of that size.
    """
    height, width = chips[0].valid.shape
    row = int(rng.integers(height // 4, height - height // 4 + 1))
    col = int(rng.integers(width // 4, width - width // 4 + 1))

    def joined(name: str) -> np.ndarray[Any, Any]:
        upper_left, upper_right, lower_left, lower_right = (getattr(c, name) for c in chips)
        upper = np.concatenate([upper_left[..., :row, :col], upper_right[..., :row, col:]], axis=-1)
        lower = np.concatenate([lower_left[..., row:, :col], lower_right[..., row:, col:]], axis=-1)
        return np.concatenate([upper, lower], axis=-2)

    return Sample(pixels=joined("pixels"), valid=joined("valid"), labels=joined("labels"))
