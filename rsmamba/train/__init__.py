"""Training: from a configuration to model files (the only package that uses Lightning)."""

import importlib
from typing import TYPE_CHECKING

from rsmamba.errors import require
from rsmamba.train.config import ModelConfig, TrainConfig, TrainerConfig
from rsmamba.train.recipe import (
    DistillationConfig,
    LossConfig,
    OptimiserConfig,
    ScheduleConfig,
)

if TYPE_CHECKING:
    from rsmamba.train.rehearsal import TrainPlan, rehearse
    from rsmamba.train.run import TrainResult, fit

__all__ = [
    "DistillationConfig",
    "LossConfig",
    "ModelConfig",
    "OptimiserConfig",
    "ScheduleConfig",
    "TrainConfig",
    "TrainPlan",
    "TrainResult",
    "TrainerConfig",
    "fit",
    "rehearse",
]


def __getattr__(name: str) -> object:
    """Import Lightning only when training starts, so that configurations load quickly."""
    places = {"TrainResult": "run", "fit": "run", "TrainPlan": "rehearsal", "rehearse": "rehearsal"}
    if name not in places:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    require("lightning", extra="train")
    return getattr(importlib.import_module(f"rsmamba.train.{places[name]}"), name)
