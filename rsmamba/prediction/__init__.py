"""Scenes in, class maps out.

The public names load on first use: a plan can be made without torch.
"""

from typing import TYPE_CHECKING

from rsmamba.lazy import loader_of

if TYPE_CHECKING:
    from rsmamba.prediction.config import PredictConfig
    from rsmamba.prediction.engine import predict, predict_scene
    from rsmamba.prediction.planning import PredictPlan, plan
    from rsmamba.prediction.result import PredictResult

__all__ = ["PredictConfig", "PredictPlan", "PredictResult", "plan", "predict", "predict_scene"]

_HOME_OF_NAME = {
    "PredictConfig": "rsmamba.prediction.config",
    "PredictPlan": "rsmamba.prediction.planning",
    "PredictResult": "rsmamba.prediction.result",
    "plan": "rsmamba.prediction.planning",
    "predict": "rsmamba.prediction.engine",
    "predict_scene": "rsmamba.prediction.engine",
}

__getattr__ = loader_of(__name__, _HOME_OF_NAME)
