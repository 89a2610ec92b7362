"""The rehearsal of a run: data are checked, a batch is trained, costs are told; nothing is written.

Of several devices one rehearses its part of the batch.
"""

import logging
import resource
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import psutil
import torch
from typing_extensions import override

from rsmamba.data import LabelledScene
from rsmamba.data.chips import Batch
from rsmamba.errors import DeviceError
from rsmamba.geo.tiles import TileGrid
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.scoring import ready_to_predict
from rsmamba.train.callbacks import check_finite
from rsmamba.train.config import TrainConfig
from rsmamba.train.datamodule import ChipDataModule
from rsmamba.train.environment import check_same_data
from rsmamba.train.loggers import check_loggers
from rsmamba.train.module import SegmentationModule
from rsmamba.train.run_folder import RunFolder
from rsmamba.train.session import plain_signals, torch_session
from rsmamba.train.setup import build_model, check_network, find_device, make_trainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """What a run would do, and what it would cost on this machine.

    Attributes:
        run_dir: Folder that the run would write.
        resumes_at_step: Optimiser step that the run would go on after; None where it begins.
        device: Where it computes.
        model: Name of the network.
        parameters: Trained numbers of the network.
        bands: Bands of a chip.
        classes: Names of the classes.
        train_scenes: Scenes to train on.
        train_pixels: Their pixels.
        validation_scenes: Scenes to validate on.
        validation_pixels: Their pixels.
        chip: Side of a chip, pixels.
        batch_size: Chips of a batch.
        epochs: Epochs of the whole run.
        steps: Optimiser steps of the whole run.
        loss: Loss of the rehearsed batch.
        batch_seconds: Time of a batch after the first, with loading its chips.
        validation_seconds: Time of one validation.
        seconds: Time of the whole run, at most `trainer.max_hours`.
        data_bytes: Memory of the scenes that are held.
        memory_bytes: Most memory that this process had, libraries and scenes included.
        available_bytes: Memory that this machine has left.
        gpu_memory_bytes: Most memory of the GPU; None without one.
    """

    run_dir: Path
    resumes_at_step: int | None
    device: str
    model: str
    parameters: int
    bands: int
    classes: tuple[str, ...]
    train_scenes: int
    train_pixels: int
    validation_scenes: int
    validation_pixels: int
    chip: int
    batch_size: int
    epochs: int
    steps: int
    loss: float
    batch_seconds: float
    validation_seconds: float
    seconds: float
    data_bytes: int
    memory_bytes: int
    available_bytes: int
    gpu_memory_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values.

        Returns:
            Value by name.
        """
        return asdict(self) | {"run_dir": str(self.run_dir)}


class _Stopwatch(lightning.Callback):
    """Times when batches end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    @override
    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Take the time; the loss is fetched, so that the device has finished."""
        if isinstance(pl_module, SegmentationModule):
            pl_module.losses_of_epoch()
        self.ends.append(time.perf_counter())


def rehearse(config: TrainConfig) -> TrainPlan:
    """Check data and memory, train on a batch or two, and write nothing.

    The first batch compiles kernels and fills caches; a second one tells the time. Where an epoch
    has one batch only, that one does.

    Args:
        config: The run.

    Returns:
        Sizes, time and memory of the run.

    Raises:
        OptionError: If an option of the network or the precision is not allowed.
        DeviceError: If the device is not there, or has too little memory for a batch.
        DataError: If data are missing or not usable.
        OutputExistsError: If the run folder holds a run and `trainer.resume` is off.
        ConfigError: If a run cannot be continued with this configuration.
        NetworkError: If the loss or a weight is not finite after the step.
    """
    device = find_device(config.trainer)
    folder = RunFolder(path=config.trainer.run_dir)
    checkpoint = folder.check(config)
    check_loggers(config.trainer.loggers)
    check_network(config.model)
    with torch_session(config.trainer.threads), plain_signals():
        torch.manual_seed(config.trainer.seed)
        data = ChipDataModule(config)
        if checkpoint is not None:
            check_same_data(folder.environment, data)
        model = build_model(config, data, None, input_multiple=1)
        module = SegmentationModule(model, config, class_counts=data.class_counts)
        if checkpoint is not None:
            checkpoint.check_fits(module)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        batch_seconds = _train(config, module, data, device)
        losses = module.losses_of_epoch()
        check_finite(losses, module.averaged_model, epoch=1)
        validation = _validation_seconds(config, model, data.validation_scenes, device)
    return TrainPlan(
        run_dir=config.trainer.run_dir,
        resumes_at_step=checkpoint.step if checkpoint else None,
        device=str(device),
        model=config.model.name,
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        bands=data.num_bands,
        classes=tuple(config.data.classes.names),
        train_scenes=len(data.train_scenes),
        train_pixels=sum(scene.height * scene.width for scene in data.train_scenes),
        validation_scenes=len(data.validation_scenes),
        validation_pixels=sum(scene.height * scene.width for scene in data.validation_scenes),
        chip=config.data.chip,
        batch_size=config.trainer.batch_size,
        epochs=config.trainer.epochs,
        steps=config.total_steps,
        loss=float(losses[0]),
        batch_seconds=batch_seconds,
        validation_seconds=validation,
        seconds=_total_seconds(config, batch_seconds, validation),
        data_bytes=_held_bytes(data),
        memory_bytes=_peak_bytes(),
        available_bytes=psutil.virtual_memory().available,
        gpu_memory_bytes=(
            torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
        ),
    )


def _train(
    config: TrainConfig, module: SegmentationModule, data: ChipDataModule, device: torch.device
) -> float:
    """Train on a few batches, all of one optimiser step and one more; return seconds a batch."""
    options = config.trainer
    alone = replace(
        options, devices=1, nodes=1, batch_size=options.batch_size // options.num_processes
    )
    most = min(config.optimiser.accumulate + 1, config.batches_per_epoch)
    watch = _Stopwatch()
    config = replace(config, trainer=alone)
    data.config = config
    trainer = make_trainer(config, device, callbacks=[watch], most_batches=most)
    trainer.fit_loop.max_epochs = 1
    started = time.perf_counter()
    try:
        trainer.fit(module, datamodule=data)
    except torch.OutOfMemoryError as error:
        msg = (
            f"{device} has no memory left for {alone.batch_size} chips of {config.data.chip} px; "
            "give a smaller trainer.batch_size (and optimiser.accumulate) or data.chip"
        )
        raise DeviceError(msg) from error
    ends = watch.ends
    return (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0] - started


def _validation_seconds(
    config: TrainConfig,
    model: SceneModel,
    scenes: list[LabelledScene],
    device: torch.device,
) -> float:
    """Predict one tile, and count the tiles of all scenes."""
    options = config.trainer
    grids = [
        TileGrid(
            height=scene.height,
            width=scene.width,
            tile=options.validation_tile,
            overlap=options.validation_overlap,
        )
        for scene in scenes
    ]
    first, grid = scenes[0], grids[0]
    sample = first.read(row=0, col=0, height=grid.tile_height, width=grid.tile_width)
    pixels = torch.from_numpy(sample.pixels.astype("float32"))[None].to(device)
    with ready_to_predict(model, device), torch.inference_mode():
        model(pixels)
        started = time.perf_counter()
        model(pixels).argmax(dim=1).cpu()
        seconds = time.perf_counter() - started
    return seconds * sum(len(grid) for grid in grids)


def _total_seconds(config: TrainConfig, batch_seconds: float, validation_seconds: float) -> float:
    """Time of all batches and validations, or what the run may take."""
    options = config.trainer
    validations = -(-options.epochs // options.validate_every)
    batches = options.epochs * config.batches_per_epoch
    seconds = batches * batch_seconds + validations * validation_seconds
    return seconds if options.max_hours is None else min(seconds, 3600 * options.max_hours)


def _held_bytes(data: ChipDataModule) -> int:
    """Memory of the scenes that are in memory and not read by windows."""
    return sum(
        scene.memory_bytes
        for scene in (*data.train_scenes, *data.validation_scenes)
        if scene.is_held
    )


def _peak_bytes() -> int:
    """Most memory that this process had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
