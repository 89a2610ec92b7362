"""End of an epoch: validation, model files, history and one line of progress."""

import csv
import io
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from rsmamba.data import LabelledScene
from rsmamba.errors import NetworkError
from rsmamba.metrics import compute_scores
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.checkpoints import write_whole
from rsmamba.train.module import SegmentationModule
from rsmamba.train.pictures import ScenePicture
from rsmamba.train.run_folder import RunFolder
from rsmamba.train.validation import validate

logger = logging.getLogger(__name__)

WriteModel = Callable[[SceneModel, Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """What one epoch came to.

    Attributes:
        epoch: Epoch, counted from 1.
        step: Optimiser steps so far.
        loss: Mean training loss.
        learning_rate: Learning rate of the last step.
        chips_per_second: Chips trained a second, without validation.
        mean_iou: Validation mIoU, 0 to 1; None where the epoch was not validated.
        overall_accuracy: Validation OA, 0 to 1; None likewise.
        iou: Validation IoU of each class; empty likewise.
        seconds: Duration of the run so far.
        cpu_seconds: CPU time of the run so far, of all processes.
    """

    epoch: int
    step: int
    loss: float
    learning_rate: float
    chips_per_second: float
    mean_iou: float | None
    overall_accuracy: float | None
    iou: tuple[float, ...]
    seconds: float
    cpu_seconds: float


class EpochEnd(lightning.Callback):
    """Validate, write model files and history, and log.

    Args:
        scenes: Validation scenes.
        folder: Folder of the run.
        write_model: Writes a model to a path.
    """

    def __init__(
        self, scenes: Sequence[LabelledScene], *, folder: RunFolder, write_model: WriteModel
    ) -> None:
        self.scenes = scenes
        self.folder = folder
        self._pictures: list[ScenePicture] = []
        self.write_model = write_model
        self.records: list[EpochRecord] = []
        self._epoch_started = 0.0
        self._batches_before = 0
        self._cpu_before = 0.0
        self._cpu_started = cpu_seconds()

    @property
    def best(self) -> EpochRecord | None:
        """The validated epoch of highest mIoU; the earlier one on a tie."""
        validated = [record for record in self.records if record.mean_iou is not None]
        return max(validated, key=lambda record: record.mean_iou or 0.0, default=None)

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the records for the checkpoint."""
        return {
            "records": [asdict(record) for record in self.records],
            "cpu_seconds": self._cpu(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the records of the run so far."""
        self.records = [EpochRecord(**record) for record in state_dict["records"]]
        self._cpu_before = float(state_dict["cpu_seconds"])

    @override
    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock of an epoch that was begun before."""
        if isinstance(pl_module, SegmentationModule):
            self._start_clock(batches_before=len(pl_module.epoch_losses))

    @override
    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the epoch's clock."""
        self._start_clock(batches_before=0)

    @override
    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Validate, write and log; a NetworkError ends a run that has diverged."""
        if not isinstance(pl_module, SegmentationModule):
            return
        record = self._record(trainer, pl_module)
        self.records.append(record)
        model = pl_module.averaged_model
        if not trainer.is_global_zero:
            return
        write_whole(self.folder.last_model, lambda part: self.write_model(model, part))
        if record is self.best:
            write_whole(self.folder.best_model, lambda part: self.write_model(model, part))
            self._draw_samples()
        text = self._history_text(pl_module.config.data.classes.names)
        write_whole(self.folder.history, lambda part: part.write_text(text, encoding="utf-8"))
        logger.info("%s", _line(record, pl_module))
        for other in trainer.loggers:
            other.log_metrics(_metrics(record, pl_module), step=record.step)

    def _start_clock(self, *, batches_before: int) -> None:
        """Time the batches from now on."""
        self._epoch_started = time.monotonic()
        self._batches_before = batches_before

    def _record(self, trainer: lightning.Trainer, module: SegmentationModule) -> EpochRecord:
        """Collect the numbers of the epoch, with validation where it is due."""
        seconds = time.monotonic() - self._epoch_started
        losses = module.losses_of_epoch()
        check_finite(losses, module.averaged_model, epoch=trainer.current_epoch + 1)
        options = module.config.trainer
        epoch = trainer.current_epoch + 1
        last = epoch == options.epochs or trainer.should_stop
        scores = None
        if last or epoch % options.validate_every == 0:
            share_statistics(module.averaged_model, trainer)
            names = module.config.data.band_names
            own = self.scenes[trainer.global_rank :: trainer.world_size]
            shown = own[: options.samples]
            self._pictures = [ScenePicture(scene, band_names=names) for scene in shown]
            matrix = validate(
                module.averaged_model,
                own,
                tile=options.validation_tile,
                overlap=options.validation_overlap,
                pictures=self._pictures,
            )
            scores = compute_scores(_summed(matrix.counts, trainer, module))
        return EpochRecord(
            epoch=epoch,
            step=trainer.global_step,
            loss=float(losses.mean()),
            learning_rate=module.learning_rate,
            chips_per_second=(len(losses) - self._batches_before) * options.batch_size / seconds,
            mean_iou=scores.mean_iou if scores else None,
            overall_accuracy=scores.overall_accuracy if scores else None,
            iou=tuple(map(float, scores.iou)) if scores else (),
            seconds=module.elapsed_seconds,
            cpu_seconds=self._cpu(),
        )

    def _draw_samples(self) -> None:
        """Write the pictures of the last validation."""
        for number, picture in enumerate(self._pictures, start=1):
            self.folder.samples.mkdir(exist_ok=True)
            name = f"{number}_{picture.scene.name}.png"
            write_whole(self.folder.samples / name, picture.save)

    def _history_text(self, names: Sequence[str]) -> str:
        """All records as CSV; a resumed run thus leaves no line twice."""
        text = io.StringIO()
        plain = [f.name for f in fields(EpochRecord) if f.name != "iou"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*plain, *(f"iou_{name}" for name in names)])
        for record in self.records:
            writer.writerow([*(getattr(record, name) for name in plain), *record.iou])
        return text.getvalue()

    def _cpu(self) -> float:
        """CPU time of the run so far, seconds."""
        return self._cpu_before + cpu_seconds() - self._cpu_started


def share_statistics(model: SceneModel, trainer: lightning.Trainer) -> None:
    """Let every device validate the model that the first one stores.

    The running statistics of batch norms follow the chips of a device where they are not
    synchronised, as on CPUs.

    Args:
        model: The model to validate; its buffers become those of the first device.
        trainer: Knows the devices.
    """
    if trainer.world_size > 1:
        for buffer in model.buffers():
            torch.distributed.broadcast(buffer, src=0)


def _summed(
    counts: NDArray[np.int64], trainer: lightning.Trainer, module: SegmentationModule
) -> NDArray[np.int64]:
    """Counts of all devices (K, K), each of which validates a part of the scenes."""
    if trainer.world_size == 1:
        return counts
    local = torch.as_tensor(counts, device=module.device)
    total: Tensor = trainer.strategy.reduce(local, reduce_op="sum")
    return total.cpu().numpy()


def check_finite(losses: torch.Tensor, model: SceneModel, *, epoch: int) -> None:
    """Refuse to go on with a network that has diverged.

    Args:
        losses: Losses of the epoch's steps (steps,).
        model: The model that would be stored.
        epoch: Epoch, counted from 1.

    Raises:
        NetworkError: If a loss or a weight is not finite.
    """
    weights = (value for value in model.parameters() if value.is_floating_point())
    if bool(losses.isfinite().all()) and all(bool(value.isfinite().all()) for value in weights):
        return
    msg = (
        f"the training diverged in epoch {epoch}: a loss or a weight is not finite; lower "
        "optimiser.learning_rate or set optimiser.gradient_clip"
    )
    raise NetworkError(msg)


def cpu_seconds() -> float:
    """Return the CPU time of this process and its finished children, seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _metrics(record: EpochRecord, module: SegmentationModule) -> dict[str, float]:
    """What loggers of other tools hear of an epoch."""
    values = {"epoch": float(record.epoch), "train/loss_of_epoch": record.loss}
    if record.mean_iou is not None and record.overall_accuracy is not None:
        values["validation/mean_iou"] = record.mean_iou
        values["validation/overall_accuracy"] = record.overall_accuracy
        names = module.config.data.classes.names
        values |= {f"validation/iou_{n}": v for n, v in zip(names, record.iou, strict=True)}
    return values


def _line(record: EpochRecord, module: SegmentationModule) -> str:
    """One line of progress."""
    done = module.progress
    left = record.seconds * (1 - done) / done if done else 0.0
    accuracy = "" if record.mean_iou is None else f"  mIoU {record.mean_iou:.4f}"
    return (
        f"epoch {record.epoch}/{module.config.trainer.epochs}  loss {record.loss:.4f}{accuracy}  "
        f"lr {record.learning_rate:.2e}  {record.chips_per_second:.1f} chips/s  "
        f"{done:.0%} done, " + (f"{left:.0f} s left" if left < 120 else f"{left / 60:.0f} min left")
    )
