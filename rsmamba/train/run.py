"""A training run from its configuration to its model files."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from rsmamba.errors import ConfigError, OutputExistsError
from rsmamba.models.model_file import save_model
from rsmamba.models.registry import create_model, describe_architecture, model_entry
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.callbacks import EpochEnd, EpochRecord, WriteModel
from rsmamba.train.config import Precision, TrainConfig
from rsmamba.train.datamodule import ChipDataModule
from rsmamba.train.module import SegmentationModule

logger = logging.getLogger(__name__)

_PRECISIONS: dict[Precision, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}
# Sections that decide what is computed; a run cannot be resumed with other ones.
_FIXED_SECTIONS = ("data", "model", "optimiser", "schedule", "loss")


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
    config: TrainConfig, *, network: nn.Module | None = None, write_model: WriteModel | None = None
) -> TrainResult:
    """Train a network and leave its best and its last model file in the run folder.

    Args:
        config: The run.
        network: Network to train, (B, C, H, W) to (B, K, H, W) logits; None makes the one that
            `config.model` names.
        write_model: Writes a model to a path; None writes a model file of rsmamba. Needed with a
            `network` that `create_model` does not know.

    Returns:
        Where the files are and how each epoch went.

    Raises:
        OutputExistsError: If the run folder holds a run and `trainer.resume` is off.
        ConfigError: If a run is resumed with another configuration.
    """
    options = config.trainer
    checkpoint = options.run_dir / "last.ckpt"
    _prepare_run_dir(config, checkpoint)
    with _torch_session(options.threads):
        torch.manual_seed(options.seed)
        data = ChipDataModule(config)
        model = _build_model(config, data, network)
        end = EpochEnd(
            data.validation_scenes,
            run_dir=options.run_dir,
            write_model=write_model or _model_writer(config),
        )
        module = SegmentationModule(model, config)
        trainer = _make_trainer(config, end)
        logger.info("%s", _summary(config, data, model))
        trainer.fit(
            module,
            train_dataloaders=data.train_dataloader(),
            ckpt_path=str(checkpoint) if checkpoint.exists() else None,
            weights_only=True,
        )
    best = end.best
    if best is None:
        msg = f"the run in {options.run_dir} ended before its first validation; nothing is stored"
        raise ConfigError(msg)
    return TrainResult(
        run_dir=options.run_dir,
        best_model=options.run_dir / "best.safetensors",
        last_model=options.run_dir / "last.safetensors",
        records=tuple(end.records),
        best=best,
    )


def _prepare_run_dir(config: TrainConfig, checkpoint: Path) -> None:
    """Make the run folder and store the resolved configuration, or check it against the stored."""
    options = config.trainer
    stored = options.run_dir / "config.json"
    resolved = json.loads(json.dumps(asdict(config), default=str))
    if checkpoint.exists() and not options.resume:
        msg = (
            f"{options.run_dir} already holds a run; continue it with trainer.resume=true "
            "or choose another trainer.run_dir"
        )
        raise OutputExistsError(msg)
    if checkpoint.exists() and stored.exists():
        before = json.loads(stored.read_text(encoding="utf-8"))
        changed = [name for name in _FIXED_SECTIONS if before.get(name) != resolved[name]]
        if changed:
            msg = (
                f"the run in {options.run_dir} was started with another {' and '.join(changed)} "
                "section; a resumed run may change only the trainer section"
            )
            raise ConfigError(msg)
    options.run_dir.mkdir(parents=True, exist_ok=True)
    stored.write_text(json.dumps(resolved, indent=2) + "\n", encoding="utf-8")


def _build_model(
    config: TrainConfig, data: ChipDataModule, network: nn.Module | None
) -> SceneModel:
    """Wrap the network with everything that the model file tells its user."""
    name = config.model.name
    architecture = None
    input_multiple = 32
    if network is None:
        architecture = describe_architecture(name, **config.model.options)
        input_multiple = model_entry(name).input_multiple
        network = create_model(
            name,
            num_classes=config.data.classes.num_classes,
            in_channels=data.num_bands,
            **config.model.options,
        )
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
        "train": list(config.data.train),
        "validation": list(config.data.validation),
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


def _make_trainer(config: TrainConfig, end: EpochEnd) -> lightning.Trainer:
    """Make Lightning's trainer; logging and validation are ours."""
    options = config.trainer
    last = ModelCheckpoint(
        dirpath=options.run_dir,
        filename="last",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return lightning.Trainer(
        accelerator=options.device,
        devices=1,
        precision=_PRECISIONS[options.precision],
        max_epochs=options.epochs,
        gradient_clip_val=config.optimiser.gradient_clip or None,
        callbacks=[end, last],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.run_dir,
    )


def _summary(config: TrainConfig, data: ChipDataModule, model: nn.Module) -> str:
    """One line that says what is trained on what."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    megapixels = sum(scene.height * scene.width for scene in data.train_scenes) / 1e6
    return (
        f"training {parameters:,} parameters on {len(data.train_scenes)} scenes "
        f"({megapixels:.1f} Mpx), validating on {len(data.validation_scenes)}; "
        f"{config.trainer.epochs} epochs of {config.steps_per_epoch} steps; "
        f"run folder {config.trainer.run_dir}"
    )


@contextmanager
def _torch_session(threads: int | None) -> Iterator[None]:
    """Set threads and random state for the run, restore them after it, and quiet Lightning."""
    before = torch.get_num_threads()
    lightning_logger = logging.getLogger("lightning.pytorch")
    level = lightning_logger.level
    lightning_logger.setLevel(logging.WARNING)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            # Loading in the training process is our default: chips are cut from memory.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # The run folder exists and holds our configuration before the checkpoint is written.
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not")
            # Lightning 2.6 still builds a class that torch 2.15 has renamed.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        torch.set_num_threads(before)
        lightning_logger.setLevel(level)
