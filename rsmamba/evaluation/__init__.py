"""Class maps against references: how accurate a map is, and what exactly was counted."""

from rsmamba.evaluation.engine import evaluate
from rsmamba.evaluation.protocols import PROTOCOLS, ProtocolName
from rsmamba.evaluation.result import AccuracyReport

__all__ = ["PROTOCOLS", "AccuracyReport", "ProtocolName", "evaluate"]
