"""End a run early when validation gains nothing any more."""

import logging
from collections.abc import Sequence

import lightning
from typing_extensions import override

from rsmamba.train.callbacks import EpochEnd
from rsmamba.train.config import TrainerConfig

logger = logging.getLogger(__name__)


class EarlyStop(lightning.Callback):
    """End the run after some validations without a gain in mIoU.

    It looks at the records of all sessions, so that a run that has ended is not resumed. It must
    come behind the callback that makes the records.

    Args:
        end: Makes the records.
        options: Patience and smallest gain.
    """

    def __init__(self, end: EpochEnd, options: TrainerConfig) -> None:
        self.end = end
        self.options = options

    @override
    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """End a resumed run that had ended."""
        self._stop_if_stalled(trainer)

    @override
    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """End the run if the epoch's validation was one too many without a gain."""
        self._stop_if_stalled(trainer)

    def _stop_if_stalled(self, trainer: lightning.Trainer) -> None:
        patience = self.options.patience
        scores = [r.mean_iou for r in self.end.records if r.mean_iou is not None]
        waited = validations_without_gain(scores, minimum_gain=self.options.minimum_gain)
        if patience is None or waited < patience:
            return
        trainer.should_stop = True
        logger.info(
            "the run ends early: mIoU did not gain in %d validation%s (trainer.patience)",
            waited,
            "" if waited == 1 else "s",
        )


def validations_without_gain(scores: Sequence[float], *, minimum_gain: float = 0.0) -> int:
    """Count the validations since the last gain.

    Args:
        scores: Scores of the validations so far.
        minimum_gain: How far a score must be above the best so far to count as a gain; equal
            scores are no gain.

    Returns:
        Number of validations at the end without a gain.

    Example:
        >>> validations_without_gain([0.5, 0.6, 0.6, 0.59])
        2
    """
    best, waited = -1.0, 0
    for score in scores:
        if score > best + minimum_gain:
            best, waited = score, 0
        else:
            waited += 1
    return waited
