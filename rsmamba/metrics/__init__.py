"""Accuracy of class maps: confusion matrices and the scores read from them (NumPy only)."""

from rsmamba.metrics.confusion import ConfusionMatrix
from rsmamba.metrics.scores import Scores, compute_scores

__all__ = ["ConfusionMatrix", "Scores", "compute_scores"]
