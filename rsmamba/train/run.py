"""A training run from its configuration to its model files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from rsmamba.errors import ConfigError, OptionError, OutputError, RsmambaError
from rsmamba.models.model_file import save_model
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.callbacks import EpochEnd, EpochRecord, WriteModel
from rsmamba.train.checkpoints import Checkpoint, Checkpoints
from rsmamba.train.config import TrainConfig
from rsmamba.train.curves import Curves
from rsmamba.train.datamodule import ChipDataModule
from rsmamba.train.environment import check_same_data, record_session
from rsmamba.train.loggers import check_loggers, open_loggers
from rsmamba.train.module import SegmentationModule
from rsmamba.train.run_folder import RunFolder, flattened, plain
from rsmamba.train.session import plain_signals, torch_session
from rsmamba.train.setup import build_model, check_network, find_device, make_trainer
from rsmamba.train.step_log import StepLog
from rsmamba.train.stopping import EarlyStop

logger = logging.getLogger(__name__)


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
        ConfigError: If a run cannot be continued with this configuration, or with these data.
        OutputError: If the run folder cannot be written.
        NetworkError: If the training diverges.
    """
    if network is not None and write_model is None:
        msg = "a network of your own cannot be written as a model file; give write_model as well"
        raise OptionError(msg)
    device = find_device(config.trainer)
    folder = RunFolder(path=config.trainer.run_dir)
    checkpoint = folder.check(config)
    check_loggers(config.trainer.loggers)
    if network is None:
        check_network(config.model)
    with torch_session(config.trainer.threads):
        torch.manual_seed(config.trainer.seed)
        data = ChipDataModule(config)
        if checkpoint is not None:
            check_same_data(folder.environment, data)
        model = build_model(config, data, network, input_multiple=input_multiple)
        end = EpochEnd(
            data.validation_scenes,
            folder=folder,
            write_model=write_model or _model_writer(config),
        )
        module = SegmentationModule(model, config, class_counts=data.class_counts)
        if checkpoint is not None:
            checkpoint.check_fits(module)
            data.first_epoch, data.first_batch = checkpoint.epoch, checkpoint.batches
        with _left_tidy(folder):
            loggers = _begin(config, folder, data, checkpoint=checkpoint)
            logger.info("%s", _summary(config, data, model))
            callbacks = _callbacks(config, end, folder)
            trainer = make_trainer(config, device, callbacks=callbacks, loggers=loggers)
            trainer.fit(
                module,
                datamodule=data,
                ckpt_path=None if checkpoint is None else str(checkpoint.path),
                weights_only=True,
            )
    return _result(folder, end)


def _begin(
    config: TrainConfig, folder: RunFolder, data: ChipDataModule, *, checkpoint: Checkpoint | None
) -> list[Logger]:
    """Write what is known before the first step; of several processes one does."""
    if not is_first_process():
        return []
    folder.begin(config)
    step = checkpoint.step if checkpoint else 0
    run_id = record_session(folder.environment, data, resumed_at=step if checkpoint else None)
    return open_loggers(
        config.trainer.loggers,
        run_dir=folder.path,
        run_id=run_id,
        step=step,
        values={
            name: value
            for part, section in plain(config).items()
            for name, value in flattened(section, part)
        },
    )


def is_first_process() -> bool:
    """Whether this process writes the files; a run on several devices has one for each."""
    return int(getattr(rank_zero_only, "rank", None) or 0) == 0


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
        if is_first_process():
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


def _model_writer(config: TrainConfig) -> WriteModel:
    """Writer of model files in the configured number type."""
    half = config.model.storage == "float16"

    def write(model: SceneModel, path: Path) -> None:
        save_model(model, path, half=half)

    return write


def _callbacks(config: TrainConfig, end: EpochEnd, folder: RunFolder) -> list[lightning.Callback]:
    """What is written during the run; checkpoints last, which hold what the others know."""
    checkpoints = Checkpoints(folder.checkpoint, steps=config.trainer.checkpoint_steps)
    early = EarlyStop(end, config.trainer)
    return [StepLog(folder.step_log), end, early, Curves(folder), checkpoints]


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
