"""A training run from its configuration to its model files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lightning
import torch
from torch import nn

from rsmamba.errors import ConfigError, DeviceError, OptionError, OutputError, RsmambaError
from rsmamba.models.model_file import resolve_device, save_model
from rsmamba.models.pretrained import start_from
from rsmamba.models.registry import create_model, describe_architecture, model_entry
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.callbacks import EpochEnd, EpochRecord, WriteModel
from rsmamba.train.checkpoints import Checkpoint, Checkpoints
from rsmamba.train.config import ModelConfig, Precision, TrainConfig, TrainerConfig
from rsmamba.train.datamodule import ChipDataModule
from rsmamba.train.module import SegmentationModule
from rsmamba.train.run_folder import RunFolder
from rsmamba.train.session import plain_signals, torch_session
from rsmamba.train.step_log import StepLog
from rsmamba.train.stopping import EarlyStop

logger = logging.getLogger(__name__)

_PRECISIONS: dict[Precision, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a run left.

    Attributes:
        run_dir: Folder of the run.
        best_model: Model file of the validated epoch with the highest mIoU.
        last_model: Model file of the last epoch.
        records: One record an epoch.
        best: The record of the best epoch.
    """

    run_dir: Path
    best_model: Path
    last_model: Path
    records: tuple[EpochRecord, ...]
    best: EpochRecord


def fit(
    config: TrainConfig,
    *,
    network: nn.Module | None = None,
    input_multiple: int = 32,
    write_model: WriteModel | None = None,
) -> TrainResult:
    """Train a network and leave its best and its last model file in the run folder.

    Nothing is written before configuration and data are known to be usable. A run that is stopped
    can be continued after its last checkpoint, and then ends with the numbers of one that was not,
    to the last bit on a CPU.

    Args:
        config: The run.
        network: Network to train, (B, C, H, W) to (B, K, H, W) logits; None makes the one that
            `config.model` names.
        input_multiple: Number that both sides of the input of `network` must be divisible by; 32
            suits five halvings. Networks that `config.model` names bring their own.
        write_model: Writes a model to a path; needed with `network`, since a model file of rsmamba
            holds networks that `create_model` knows.

    Returns:
        Where the files are and how each epoch went.

    Raises:
        OptionError: If an option of the network or the precision is not allowed, or `network` comes
            without `write_model`.
        DeviceError: If the device is not there.
        DataError: If data are missing or not usable.
        OutputExistsError: If the run folder holds a run and `trainer.resume` is off.
        ConfigError: If a run cannot be continued with this configuration.
        OutputError: If the run folder cannot be written.
        NetworkError: If the training diverges.
    """
    if network is not None and write_model is None:
        msg = "a network of your own cannot be written as a model file; give write_model as well"
        raise OptionError(msg)
    device = _find_device(config.trainer)
    folder = RunFolder(path=config.trainer.run_dir)
    checkpoint = folder.check(config)
    if network is None:
        _check_network(config.model)
    with torch_session(config.trainer.threads):
        torch.manual_seed(config.trainer.seed)
        data = ChipDataModule(config)
        model = _build_model(config, data, network, input_multiple=input_multiple)
        end = EpochEnd(
            data.validation_scenes,
            folder=folder,
            write_model=write_model or _model_writer(config),
        )
        if checkpoint is not None:
            data.first_epoch, data.first_batch = checkpoint.epoch, checkpoint.batches
        chips = data.train_dataloader()
        module = SegmentationModule(model, config, class_counts=data.class_counts)
        folder.begin(config)
        logger.info("%s", _summary(config, data, model))
        with _left_tidy(folder):
            trainer = _make_trainer(config, _callbacks(config, end, folder), device)
            trainer.fit(
                module,
                train_dataloaders=chips,
                ckpt_path=None if checkpoint is None else str(checkpoint.path),
                weights_only=True,
            )
    return _result(folder, end)


def _find_device(options: TrainerConfig) -> torch.device:
    """The device that was asked for, with the precision that it can do."""
    try:
        device = resolve_device(options.device)
    except DeviceError as error:
        msg = (
            f"trainer.device is {options.device!r}, which this machine does not have; give auto, "
            "cpu, cuda, cuda:N or mps"
        )
        raise DeviceError(msg) from error
    if options.precision == "16" and device.type == "cpu":
        msg = "trainer.precision 16 needs a GPU; give bf16 or 32"
        raise OptionError(msg)
    return device


def _check_network(model: ModelConfig) -> None:
    """Refuse unknown names and options before any data are read."""
    try:
        describe_architecture(model.name, **model.options)
    except TypeError as error:
        msg = f"model.options of {model.name} hold a value of the wrong type: {error}"
        raise OptionError(msg) from error


@contextmanager
def _left_tidy(folder: RunFolder) -> Iterator[None]:
    """Say what a stopped run leaves, leave nothing of one without a checkpoint; name full disks."""
    try:
        with plain_signals():
            yield
    except (KeyboardInterrupt, SystemExit):
        logger.warning("stopped; %s", _kept(folder))
        raise
    except RsmambaError:
        raise
    except OSError as error:
        msg = f"cannot write to trainer.run_dir {folder.path}: {error.strerror or error}"
        raise OutputError(msg) from error
    finally:
        folder.discard_unless_begun()


def _kept(folder: RunFolder) -> str:
    """What a stopped run leaves."""
    if not folder.checkpoint.exists():
        return "there was no checkpoint yet, so nothing is kept"
    done = Checkpoint.read(folder.checkpoint)
    kept = _counted(done.epoch, "epoch", "epochs")
    if done.batches:
        kept += f" and {_counted(done.batches, 'batch', 'batches')}"
    return f"kept in {folder.path}: {kept}; continue with trainer.resume=true (--resume)"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _result(folder: RunFolder, end: EpochEnd) -> TrainResult:
    """Where the files are, or an error where no epoch was validated."""
    best = end.best
    if best is None:
        msg = f"the run in {folder.path} ended before its first validation; give more epochs"
        raise ConfigError(msg)
    return TrainResult(
        run_dir=folder.path,
        best_model=folder.best_model,
        last_model=folder.last_model,
        records=tuple(end.records),
        best=best,
    )


def _build_model(
    config: TrainConfig, data: ChipDataModule, network: nn.Module | None, *, input_multiple: int
) -> SceneModel:
    """Wrap the network with everything that the model file tells its user."""
    name = config.model.name
    architecture = None
    if network is None:
        architecture = describe_architecture(name, **config.model.options)
        input_multiple = model_entry(name).input_multiple
        network = create_model(
            name,
            num_classes=config.data.classes.num_classes,
            in_channels=data.num_bands,
            **config.model.options,
        )
        if config.model.weights is not None:
            start_from(network, name, weights=config.model.weights)
    return SceneModel(
        network,
        classes=config.data.classes,
        in_channels=data.num_bands,
        mean=data.statistics.mean,
        std=data.statistics.std,
        gsd_m=config.data.gsd_m,
        input_dtype="uint8" if data.train_scenes[0].dtype == "uint8" else None,
        band_names=config.data.band_names,
        input_multiple=input_multiple,
        name=name if architecture else "custom",
        architecture=architecture,
        metadata={"licence": config.model.licence, "training": _protocol(config)},
    )


def _protocol(config: TrainConfig) -> dict[str, object]:
    """What the model file says about its training."""
    return {
        **config.data.provenance,
        "chip": config.data.chip,
        "chips": config.data.chips_per_epoch * config.trainer.epochs,
        "seed": config.trainer.seed,
    }


def _model_writer(config: TrainConfig) -> WriteModel:
    """Writer of model files in the configured number type."""
    half = config.model.storage == "float16"

    def write(model: SceneModel, path: Path) -> None:
        save_model(model, path, half=half)

    return write


def _callbacks(config: TrainConfig, end: EpochEnd, folder: RunFolder) -> list[lightning.Callback]:
    """What is written during the run; checkpoints last, which hold what the others know."""
    checkpoints = Checkpoints(folder.checkpoint, steps=config.trainer.checkpoint_steps)
    return [StepLog(folder.step_log), end, EarlyStop(end, config.trainer), checkpoints]


def _make_trainer(
    config: TrainConfig, callbacks: list[lightning.Callback], device: torch.device
) -> lightning.Trainer:
    """Make Lightning's trainer; logging, validation and files are ours."""
    options = config.trainer
    return lightning.Trainer(
        accelerator=device.type,
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision=_PRECISIONS[options.precision],
        max_epochs=options.epochs,
        accumulate_grad_batches=config.optimiser.accumulate,
        gradient_clip_val=config.optimiser.gradient_clip or None,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.run_dir,
    )


def _summary(config: TrainConfig, data: ChipDataModule, model: nn.Module) -> str:
    """One line that says what is trained on what."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    megapixels = sum(scene.height * scene.width for scene in data.train_scenes) / 1e6
    return (
        f"training {parameters:,} parameters; {megapixels:.1f} Mpx of scenes, mean pixel "
        f"{', '.join(f'{mean:.4g}' for mean in data.statistics.mean)}; "
        f"{config.trainer.epochs} epochs of {config.steps_per_epoch} steps; "
        f"run folder {config.trainer.run_dir}"
    )
