"""Loggers of other tools, by Lightning's adapters: TensorBoard, Weights & Biases, MLflow."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from rsmamba.errors import OptionError, RsmambaError, require
from rsmamba.train.config import LoggerName

_EXTRAS: dict[LoggerName, str] = {
    "tensorboard": "train",
    "wandb": "tracking",
    "mlflow": "tracking",
}


def check_loggers(names: Mapping[LoggerName, Any]) -> None:
    """Refuse a logger whose package is missing, before any data are read.

    Args:
        names: The loggers.

    Raises:
        MissingPackageError: If its package is not installed.
    """
    for name in names:
        require(name, extra=_EXTRAS[name])


def open_loggers(
    wanted: Mapping[LoggerName, Mapping[str, Any]],
    *,
    run_dir: Path,
    run_id: str,
    step: int,
    values: Mapping[str, Any],
) -> list[Logger]:
    """Open the loggers of a run and tell them its configuration.

    Args:
        wanted: Options of each, over ours.
        run_dir: Folder of the run, where each keeps its files.
        run_id: Name of the run that no other has.
        step: Optimiser steps that are done.
        values: The configuration by dotted name.

    Returns:
        The loggers, ready.

    Raises:
        OptionError: If a logger has no such option.
        RsmambaError: If its service refuses the run.
    """
    makers: dict[LoggerName, Callable[..., Logger]] = {
        "tensorboard": TensorBoardLogger,
        "wandb": WandbLogger,
        "mlflow": MLFlowLogger,
    }
    ours: dict[LoggerName, dict[str, Any]] = {
        # What was logged after the checkpoint is logged again; TensorBoard shall show it once.
        "tensorboard": {
            "save_dir": run_dir,
            "name": "",
            "version": "tensorboard",
            "purge_step": step + 1 if step else None,
            "default_hp_metric": False,
        },
        "wandb": {"save_dir": run_dir, "name": run_dir.name, "id": run_id},
        "mlflow": {"run_name": run_dir.name},
    }
    if "MLFLOW_TRACKING_URI" not in os.environ:
        # MLflow 3 refuses folders; a server is told by its variable, or by tracking_uri.
        ours["mlflow"]["tracking_uri"] = f"sqlite:///{run_dir.resolve()}/mlflow.db"
    return [
        _opened(name, makers[name], options={**ours[name], **options}, values=values)
        for name, options in wanted.items()
    ]


def _opened(
    name: str,
    make: Callable[..., Logger],
    *,
    options: Mapping[str, Any],
    values: Mapping[str, Any],
) -> Logger:
    """Make a logger and let it begin, so that what is wrong is told now."""
    try:
        logger = make(**options)
        # Opens the connection, which else comes with the first value.
        _ = getattr(logger, "experiment", None)
        logger.log_hyperparams(dict(values))
    except TypeError as error:
        msg = f"trainer.loggers.{name} has an option that its logger does not take: {error}"
        raise OptionError(msg) from error
    except Exception as error:  # each service has errors of its own
        reason = " ".join(str(error).split())
        msg = f"trainer.loggers.{name} cannot begin: {reason}; set it up, or leave it out"
        raise RsmambaError(msg) from error
    return logger
