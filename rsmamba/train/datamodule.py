"""Chips and scenes of a run for Lightning."""

import logging
from collections.abc import Sequence

import lightning
import numpy as np
from torch.utils.data import DataLoader
from typing_extensions import override

from rsmamba.data import (
    BandStatistics,
    ChipDataset,
    EpochSampler,
    LabelledScene,
    band_statistics,
    check_alike,
    find_splits,
    label_options,
    open_scenes,
    remarks,
)
from rsmamba.data.chips import Batch
from rsmamba.data.pairs import ScenePair
from rsmamba.errors import DataError
from rsmamba.train.config import TrainConfig

logger = logging.getLogger(__name__)


class ChipDataModule(lightning.LightningDataModule):
    """Opens and checks the data of a run; the scenes are read once.

    Args:
        config: The run.

    Attributes:
        first_epoch: Epoch that the loader begins with, counted from 0.
        first_batch: Batch of that epoch that it begins with; set both before the loader is made.

    Raises:
        DataError: If data are missing or labels are not allowed.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        self.first_epoch = 0
        self.first_batch = 0
        train, validation = find_splits(config.data)
        logger.info("reading scenes: %d to train, %d to validate", len(train), len(validation))
        self.train_scenes = self._open(train, config.data.cache_mb)
        held = sum(scene.memory_bytes for scene in self.train_scenes) // 2**20
        self.validation_scenes = self._open(validation, max(0, config.data.cache_mb - held))
        check_alike([*self.train_scenes, *self.validation_scenes])
        _check_labelled(self.train_scenes, "training")
        _check_labelled(self.validation_scenes, "validation")
        self.statistics: BandStatistics = band_statistics(self.train_scenes)
        names = config.data.band_names
        for line in remarks(self.train_scenes, self.statistics, band_names=names):
            logger.warning("%s", line)

    @property
    def num_bands(self) -> int:
        """Bands of a chip."""
        return self.train_scenes[0].num_bands

    @property
    def class_counts(self) -> list[int]:
        """Labelled training pixels of each class."""
        counts = np.sum([scene.label_counts for scene in self.train_scenes], axis=0)
        return [int(count) for count in counts]

    @override
    def train_dataloader(self) -> DataLoader[Batch]:
        """Make the loader of training chips; its first epoch begins at `first_batch`."""
        data, trainer = self.config.data, self.config.trainer
        parts = self.trainer.world_size if self.trainer else 1
        chips = ChipDataset(
            self.train_scenes, config=data, statistics=self.statistics, seed=trainer.seed
        )
        return DataLoader(
            chips,
            sampler=EpochSampler(
                self.config.batches_per_epoch * trainer.batch_size,
                epoch=self.first_epoch,
                start=self.first_batch * trainer.batch_size,
                batch_size=trainer.batch_size,
                part=self.trainer.global_rank if self.trainer else 0,
                parts=parts,
            ),
            batch_size=trainer.batch_size // parts,
            num_workers=trainer.workers,
        )

    def _open(self, pairs: tuple[ScenePair, ...], cache_mb: int) -> list[LabelledScene]:
        """Open scenes with the run's options."""
        data = self.config.data
        return open_scenes(
            pairs,
            classes=data.classes,
            label_map=data.label_map,
            bidx=data.bidx,
            labels=label_options(data),
            cache_mb=cache_mb,
        )


def _check_labelled(scenes: Sequence[LabelledScene], split: str) -> None:
    """Refuse a split that teaches or tells nothing."""
    if not any(scene.label_counts.any() for scene in scenes):
        msg = (
            f"no {split} scene has a labelled pixel: every label is the ignore index, or lies "
            "where the image has no data; check label rasters, data.label_map and nodata values"
        )
        raise DataError(msg)
