"""Training: from a configuration to model files (the only package that uses Lightning)."""

from typing import TYPE_CHECKING

from rsmamba.errors import require
from rsmamba.train.config import ModelConfig, TrainConfig, TrainerConfig
from rsmamba.train.recipe import LossConfig, OptimiserConfig, ScheduleConfig

if TYPE_CHECKING:
    from rsmamba.train.run import TrainResult, fit

__all__ = [
    "LossConfig",
    "ModelConfig",
    "OptimiserConfig",
    "ScheduleConfig",
    "TrainConfig",
    "TrainResult",
    "TrainerConfig",
    "fit",
]


def __getattr__(name: str) -> object:
    """Import Lightning only when training starts, so that configurations load quickly."""
    if name not in {"TrainResult", "fit"}:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    require("lightning", extra="train")
    from rsmamba.train import run  # noqa: PLC0415  # see the line above

    return getattr(run, name)
