"""Random training chips; each is a function of (seed, epoch, index) alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler
from typing_extensions import override

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
        self._transform = ChipTransform(
            chip=config.chip, augment=config.augment, statistics=statistics
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
        scene = self.scenes[int(rng.choice(len(self.scenes), p=self._shares))]
        zoom = float(np.exp(rng.uniform(*np.log(self._scale))))
        crop = random_crop(
            scene, side=max(1, round(self._chip / zoom)), ignore=self._ignore_index, rng=rng
        )
        chip = self._transform(crop, rng)
        return {
            "pixels": torch.from_numpy(chip.pixels),
            "valid": torch.from_numpy(chip.valid),
            "labels": torch.from_numpy(chip.labels.astype(np.int64)),
        }


class EpochSampler(Sampler[tuple[int, int]]):
    """Give (epoch, index) keys, so that a chip does not depend on who loads it.

    Args:
        length: Chips of an epoch.
        epoch: Epoch of the first iteration, counted from 0.
        start: First chip of that epoch; later epochs begin at 0.
    """

    def __init__(self, length: int, *, epoch: int = 0, start: int = 0) -> None:
        self.length = length
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
        return self.length

    @override
    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch
        return ((epoch, index) for index in range(self.start, self.length))


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
    scene: LabelledScene, *, side: int, ignore: int, rng: np.random.Generator
) -> Sample:
    """Cut a square crop at a random place.

    Where the scene is smaller than the crop the image is continued by reflection and the labels
    by the ignore index.

    Args:
        scene: Scene to cut from.
        side: Side of the crop, pixels.
        ignore: Label value of padding.
        rng: Source of randomness.

    Returns:
        The crop.
    """
    height, width = min(side, scene.height), min(side, scene.width)
    row = int(rng.integers(scene.height - height + 1))
    col = int(rng.integers(scene.width - width + 1))
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
