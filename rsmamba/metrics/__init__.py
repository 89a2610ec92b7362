"""Accuracy of class maps: confusion matrices and what is read from them (NumPy only)."""

from rsmamba.metrics.area import AreaEstimates, estimate_areas
from rsmamba.metrics.bootstrap import Intervals, bootstrap_intervals
from rsmamba.metrics.boundary import erosion_levels
from rsmamba.metrics.calibration import Calibration, CalibrationCounter
from rsmamba.metrics.confusion import ConfusionMatrix
from rsmamba.metrics.scores import Scores, compute_scores

__all__ = [
    "AreaEstimates",
    "Calibration",
    "CalibrationCounter",
    "ConfusionMatrix",
    "Intervals",
    "Scores",
    "bootstrap_intervals",
    "compute_scores",
    "erosion_levels",
    "estimate_areas",
]
