"""Everything that decides a training run, as frozen dataclasses."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rsmamba.data import DataConfig
from rsmamba.errors import OptionError
from rsmamba.train.recipe import (
    DistillationConfig,
    LossConfig,
    OptimiserConfig,
    ScheduleConfig,
)

Precision = Literal["32", "bf16", "16"]
Storage = Literal["float32", "float16"]
LoggerName = Literal["tensorboard", "wandb", "mlflow"]

# Smallest values of the counts in the trainer section.
_LOWEST = {
    "epochs": 1,
    "batch_size": 1,
    "seed": 0,
    "workers": 0,
    "checkpoint_steps": 1,
    "samples": 0,
    "devices": 1,
    "nodes": 1,
    "validate_every": 1,
    "validation_tile": 32,
    "validation_overlap": 0,
    "patience": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which network is trained.

    Attributes:
        name: Name of a network as `create_model` knows it.
        options: Its options.
        weights: Official checkpoint that the encoder starts from, a file that
            `rsmamba models convert` wrote, or a model file of the same network, for fine-tuning;
            None starts afresh.
        storage: Number type of the weights in the model files.
        licence: Licence of the model file, as written into its header.
    """

    name: str = "cvmh_unet_small"
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    storage: Storage = "float32"
    licence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerConfig:
    """Length, place and machine of a run.

    Attributes:
        run_dir: Folder of the run: model files, history, configuration and checkpoint; "~" stands
            for the home folder.
        epochs: Number of epochs.
        max_hours: Longest duration of the run, hours; the schedule is shortened so that it ends by
            then. None sets no limit.
        resume: Continue from the checkpoint of the run folder; begin where there is none.
        checkpoint_steps: Optimiser steps from one checkpoint to the next, within an epoch and
            counted from its start; None writes one every five minutes. There is one after every
            epoch as well.
        batch_size: Chips of a batch, on all devices together.
        seed: Seed of weights, chips and dropout.
        workers: Processes that load chips; 0 loads them in the training process.
        threads: Threads of torch during the run; None leaves torch's choice.
        device: Where to compute: "auto", "cpu", "cuda", "cuda:N" or "mps".
        devices: Devices of each machine, one process each; every batch is divided among them.
        nodes: Machines, each of which runs the same command as Lightning's DDP expects.
        precision: Number type of the forward pass; 32 and 16 may be numbers, as YAML reads them.
        validate_every: Epochs from one validation to the next; the last epoch is always validated.
        validation_tile: Side of validation tiles, pixels.
        validation_overlap: Pixels shared by neighbouring validation tiles.
        patience: Validations without a gain in mIoU after which the run ends; None trains all
            epochs.
        minimum_gain: What counts as a gain over the best mIoU so far, 0 to 1.
        samples: Validation scenes whose prediction is drawn whenever it is the best so far.
        loggers: Loggers besides the CSV files, each with options of Lightning's logger of that
            name, such as {wandb: {project: roofs}}.
    """

    run_dir: Path
    epochs: int = 20
    max_hours: float | None = None
    resume: bool = False
    checkpoint_steps: int | None = None
    batch_size: int = 8
    seed: int = 0
    workers: int = 0
    threads: int | None = None
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: Precision | Literal[32, 16] = "32"
    validate_every: int = 1
    validation_tile: int = 512
    validation_overlap: int = 64
    patience: int | None = None
    minimum_gain: float = 0.0
    samples: int = 4
    loggers: dict[LoggerName, dict[str, Any]] = field(default_factory=lambda: {"tensorboard": {}})

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            OptionError: If a number is outside its range.
        """
        object.__setattr__(self, "run_dir", self.run_dir.expanduser())
        object.__setattr__(self, "precision", str(self.precision))
        for name, low in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and value < low:
                msg = f"{name} is {value}; give {low} or more"
                raise OptionError(msg)
        if self.threads is not None and self.threads < 1:
            msg = f"threads is {self.threads}; give 1 or more, or leave it out"
            raise OptionError(msg)
        if self.max_hours is not None and not self.max_hours > 0:
            msg = f"max_hours is {self.max_hours}; give more than 0, or leave it out"
            raise OptionError(msg)
        if not 0 <= self.minimum_gain < 1:
            msg = f"minimum_gain is {self.minimum_gain}; give 0 or more, below 1"
            raise OptionError(msg)
        if self.validation_overlap >= self.validation_tile:
            msg = (
                f"validation_overlap is {self.validation_overlap} and validation_tile "
                f"{self.validation_tile}; the overlap must be smaller than the tile"
            )
            raise OptionError(msg)
        self._check_processes()

    @property
    def num_processes(self) -> int:
        """Processes of the run, one a device."""
        return self.devices * self.nodes

    def _check_processes(self) -> None:
        """Refuse what several processes cannot share."""
        if self.batch_size % self.num_processes:
            msg = (
                f"batch_size is {self.batch_size} and there are {self.num_processes} devices; "
                "give a multiple of their number, since each batch is divided among them"
            )
            raise OptionError(msg)
        if self.max_hours is not None and self.num_processes > 1:
            msg = (
                f"max_hours is {self.max_hours} with {self.num_processes} devices, whose clocks "
                "differ; leave it out and choose epochs"
            )
            raise OptionError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run.

    Attributes:
        data: What is read and how chips are drawn.
        trainer: Length, place and machine.
        model: Network.
        optimiser: AdamW, clipping and weight averaging.
        schedule: Learning rate over the run.
        loss: What is minimised.
        distillation: Teacher, if there is one.
    """

    data: DataConfig
    trainer: TrainerConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)

    def __post_init__(self) -> None:
        """Check the sections against each other.

        Raises:
            OptionError: If the numbers of classes and class weights differ, or an epoch has fewer
                chips than a step.
        """
        weights = self.loss.class_weights
        if isinstance(weights, tuple) and len(weights) != self.data.classes.num_classes:
            msg = (
                f"loss.class_weights has {len(weights)} weights for "
                f"{self.data.classes.num_classes} classes; give one a class"
            )
            raise OptionError(msg)
        if self.steps_per_epoch < 1:
            accumulate = self.optimiser.accumulate
            times = f" times optimiser.accumulate {accumulate}" if accumulate > 1 else ""
            msg = (
                f"data.chips_per_epoch is {self.data.chips_per_epoch}, less than "
                f"trainer.batch_size {self.trainer.batch_size}{times}; an epoch needs at least one "
                "step"
            )
            raise OptionError(msg)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of one epoch; chips that do not fill a last step are left out."""
        return self.data.chips_per_epoch // (self.trainer.batch_size * self.optimiser.accumulate)

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one epoch; several make a step if gradients are accumulated."""
        return self.steps_per_epoch * self.optimiser.accumulate

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.steps_per_epoch * self.trainer.epochs
