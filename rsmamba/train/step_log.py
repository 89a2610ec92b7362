"""The loss of every step, as a file and for the loggers of a run."""

import csv
import io
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from typing_extensions import override

from rsmamba.data.chips import Batch
from rsmamba.train.checkpoints import write_whole
from rsmamba.train.module import SegmentationModule

COLUMNS = ("step", "epoch", "batch", "loss", "learning_rate")
# Losses are fetched from the device so rarely that it does not wait for us.
_ROWS_AT_ONCE = 50


class StepLog(lightning.Callback):
    """Write one line a batch: optimiser steps so far, epoch, batch, loss and learning rate.

    Losses are written with all their digits, so that two runs can be compared to the last bit.

    Args:
        path: The file; a resumed run drops the lines after its checkpoint and goes on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[tuple[int, int, int, float]] = []
        self._losses: list[Tensor] = []

    @override
    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin the file, or cut it where the run goes on."""
        if trainer.is_global_zero:
            batches = trainer.global_step * trainer.accumulate_grad_batches
            text = kept_lines(self.path, batches=batches)
            write_whole(self.path, lambda part: part.write_text(text, encoding="utf-8"))

    @override
    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Take the batch's loss."""
        if not isinstance(pl_module, SegmentationModule):
            return
        rate = pl_module.learning_rate
        self._rows.append((trainer.global_step, trainer.current_epoch + 1, batch_idx + 1, rate))
        self._losses.append(pl_module.epoch_losses[-1])
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush(trainer)

    @override
    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Write what came before the checkpoint, which is not computed again."""
        self._flush(trainer)

    def _flush(self, trainer: lightning.Trainer) -> None:
        """Append the lines that wait."""
        if not self._rows:
            return
        losses = torch.stack(self._losses).cpu().tolist()
        rows = list(zip(self._rows, losses, strict=True))
        self._rows, self._losses = [], []
        if not trainer.is_global_zero:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for (step, epoch, number, rate), loss in rows:
            writer.writerow((step, epoch, number, loss, rate))
            for logger in trainer.loggers:
                values = {"train/loss": loss, "train/learning_rate": rate}
                logger.log_metrics(values, step=step)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())


def kept_lines(path: Path, *, batches: int) -> str:
    """Read the first lines of a step log.

    Args:
        path: The file; absent where a run begins.
        batches: Lines to keep, one a batch.

    Returns:
        The heading and the whole lines.
    """
    kept = ",".join(COLUMNS) + "\n"
    if path.exists() and batches:
        # Steps do not tell where to cut: batches that wait for their step have the step before.
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[1 : batches + 1]
        kept += "".join(line for line in lines if line.endswith("\n"))
    return kept
