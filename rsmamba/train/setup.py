"""What a run and its rehearsal are made of: device, network, model and Lightning's trainer."""

from collections.abc import Sequence
from typing import Literal

import lightning
import torch
from lightning.pytorch.loggers import Logger
from torch import nn

from rsmamba.errors import DeviceError, OptionError
from rsmamba.models.model_file import resolve_device
from rsmamba.models.pretrained import start_from
from rsmamba.models.registry import create_model, describe_architecture, model_entry
from rsmamba.models.scene_model import SceneModel
from rsmamba.train.config import ModelConfig, Precision, TrainConfig, TrainerConfig
from rsmamba.train.datamodule import ChipDataModule

_PRECISIONS: dict[Precision | Literal[32, 16], Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}


def find_device(options: TrainerConfig) -> torch.device:
    """Find the device that was asked for, with the precision that it can do.

    Args:
        options: Device, number of devices and precision.

    Returns:
        The device; the first of several.

    Raises:
        DeviceError: If this machine does not have it.
        OptionError: If it cannot compute like that.
    """
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
    if options.devices > 1 and ":" in options.device:
        msg = (
            f"trainer.device is {options.device}, one device, and trainer.devices "
            f"{options.devices}; give trainer.device={device.type}"
        )
        raise OptionError(msg)
    return device


def check_network(model: ModelConfig) -> None:
    """Refuse unknown names and options before any data are read.

    Args:
        model: The network.

    Raises:
        OptionError: If there is no such network, or it has no such option.
    """
    try:
        describe_architecture(model.name, **model.options)
    except TypeError as error:
        msg = f"model.options of {model.name} hold a value of the wrong type: {error}"
        raise OptionError(msg) from error


def build_model(
    config: TrainConfig, data: ChipDataModule, network: nn.Module | None, *, input_multiple: int
) -> SceneModel:
    """Wrap the network with everything that the model file tells its user.

    Args:
        config: The run.
        data: Its data, which give bands and statistics.
        network: Network to train; None makes the one that `config.model` names.
        input_multiple: Number that both sides of the input of `network` must be divisible by.

    Returns:
        The model to train.
    """
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


def make_trainer(
    config: TrainConfig,
    device: torch.device,
    *,
    callbacks: Sequence[lightning.Callback] = (),
    loggers: Sequence[Logger] = (),
    most_batches: int | None = None,
) -> lightning.Trainer:
    """Make Lightning's trainer; validation and files are ours.

    Args:
        config: The run.
        device: Where to compute.
        callbacks: What is done during the run.
        loggers: Loggers of other tools.
        most_batches: Batches after which an epoch ends, for a rehearsal; None takes all.

    Returns:
        The trainer.
    """
    options = config.trainer
    several = options.num_processes > 1
    single = [device.index or 0] if device.type == "cuda" else 1
    return lightning.Trainer(
        accelerator=device.type,
        devices=single if options.devices == 1 else options.devices,
        num_nodes=options.nodes,
        strategy="ddp" if several else "auto",
        # Our sampler gives each process its part of every batch.
        use_distributed_sampler=False,
        sync_batchnorm=several and device.type == "cuda",
        precision=_PRECISIONS[options.precision],
        max_epochs=options.epochs,
        limit_train_batches=most_batches,
        accumulate_grad_batches=config.optimiser.accumulate,
        gradient_clip_val=config.optimiser.gradient_clip or None,
        callbacks=list(callbacks),
        logger=list(loggers),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.run_dir,
    )
