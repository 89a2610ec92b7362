"""Scenes in, class maps out."""

from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.engine import predict, predict_scene
from rsmamba.prediction.planning import PredictPlan, plan
from rsmamba.prediction.result import PredictResult

__all__ = ["PredictConfig", "PredictPlan", "PredictResult", "plan", "predict", "predict_scene"]
