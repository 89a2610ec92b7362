"""Checkpoints: all that a run needs to go on after its last step, written whole or not at all.

Weights, averaged weights, moments of the optimiser and the losses of the running epoch are stored.
Chips and dropout need no stored random state: both are functions of seed, epoch and step.
"""

import os
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning
import torch
from torch import nn
from typing_extensions import override

from rsmamba.data.chips import Batch
from rsmamba.errors import ConfigError

_BATCHES_KEY = "rsmamba_batches_of_epoch"
# What Lightning and we read, beside the numbers that are looked at here.
_NEEDED = ("pytorch-lightning_version", "optimizer_states", "loops", "rsmamba_elapsed_seconds")
_UNREADABLE = (
    OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError, AttributeError,
    ValueError, zipfile.BadZipFile,
)  # fmt: skip
# What a power cut may cost at most; a checkpoint takes about a second.
_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a run goes on.

    Attributes:
        path: The file.
        epoch: Epoch to go on in, counted from 0; also the number of whole epochs that are done.
        batches: Batches of that epoch that are done.
        step: Optimiser steps that are done.
        shapes: Shape of each stored tensor of the network, its average and its heads.
    """

    path: Path
    epoch: int
    batches: int
    step: int
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read where a checkpoint goes on.

        Args:
            path: The file.

        Returns:
            The place.

        Raises:
            ConfigError: If the file is not a checkpoint, or damaged.
        """
        try:
            _check_sums(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
            batches = int(state.get(_BATCHES_KEY, 0))
            epoch = int(state["epoch"]) + (0 if batches else 1)
            step = int(state["global_step"])
            shapes = {name: tuple(value.shape) for name, value in state["state_dict"].items()}
            _check_names(state)
        except _UNREADABLE as error:
            reason = " ".join(str(error).split())[:80] or type(error).__name__
            msg = f"{path} is not a readable checkpoint ({reason}); delete the folder to begin anew"
            raise ConfigError(msg) from error
        return cls(path=path, epoch=epoch, batches=batches, step=step, shapes=shapes)

    def check_fits(self, module: nn.Module) -> None:
        """Refuse a network that the checkpoint is not of.

        Args:
            module: What is trained, with its average and its heads.

        Raises:
            ConfigError: If names or shapes of the weights differ.
        """
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        other = [
            name for name in (*shapes, *self.shapes) if shapes.get(name) != self.shapes.get(name)
        ]
        if other:
            msg = (
                f"{self.path} is the checkpoint of another network: {other[0]} is "
                f"{self.shapes.get(other[0], 'missing')} in it and "
                f"{shapes.get(other[0], 'missing')} here; begin another run in another "
                "trainer.run_dir"
            )
            raise ConfigError(msg)


class Checkpoints(lightning.Callback):
    """Write the checkpoint after every epoch and every so often within one.

    It must be the last callback, so that the others' records of the epoch are in it.

    Args:
        path: The file, replaced each time.
        steps: Optimiser steps from one checkpoint to the next; None goes by time.
    """

    def __init__(self, path: Path, *, steps: int | None = None) -> None:
        self.path = path
        self.steps = steps
        self._batches = 0
        self._step = 0
        self._written = time.monotonic()

    @override
    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Say how far the epoch is."""
        checkpoint[_BATCHES_KEY] = self._batches

    @override
    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock."""
        self._step = trainer.global_step
        self._written = time.monotonic()

    @override
    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Write what the batches before this one came to; averages have moved by now."""
        # Gradients that still wait for their step are in no checkpoint.
        stepped = trainer.global_step > self._step
        if batch_idx and stepped and batch_idx % trainer.accumulate_grad_batches == 0:
            self._step = trainer.global_step
            if self._is_due(trainer):
                self._write(trainer, batches=batch_idx)

    @override
    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write what the epoch came to."""
        self._write(trainer, batches=0)

    def _is_due(self, trainer: lightning.Trainer) -> bool:
        """Whether it is time; all devices get the same answer."""
        if self.steps is not None:
            return trainer.global_step % self.steps == 0
        late = time.monotonic() - self._written > _SECONDS
        return bool(trainer.strategy.broadcast(late))

    def _write(self, trainer: lightning.Trainer, *, batches: int) -> None:
        """Write the checkpoint; every device takes part, one of them moves the file."""
        self._batches = batches
        write_whole(self.path, trainer.save_checkpoint, moves=trainer.is_global_zero)
        self._written = time.monotonic()


def _check_sums(path: Path) -> None:
    """Compare the checksums in the file, which torch writes and does not look at."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        msg = f"{damaged} is damaged"
        raise ValueError(msg)


def _check_names(state: Mapping[str, object]) -> None:
    """Refuse a file that lacks something that is read later."""
    lacking = [name for name in _NEEDED if name not in state]
    if lacking:
        msg = f"it has no {lacking[0]}"
        raise ValueError(msg)


def write_whole(path: Path, write: Callable[[Path], object], *, moves: bool = True) -> None:
    """Write a file beside its place and move it there, so that it is never seen half written.

    Args:
        path: The file, replaced if it exists.
        write: Writes to the path it is given.
        moves: Move the file; of several processes that write it together one does.
    """
    part = part_of(path)
    try:
        write(part)
        if moves:
            # Without this a power cut may leave the name with nothing behind it.
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        if moves:
            part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Name of a file while it is written.

    Args:
        path: The file.

    Returns:
        A hidden name beside it.
    """
    return path.with_name(f".{path.name}.part")
