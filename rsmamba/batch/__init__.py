"""Many scenes: what to predict, what is done already, and what became of each."""

from rsmamba.batch.result import BatchResult, SceneOutcome
from rsmamba.batch.run import run_batch

__all__ = ["BatchResult", "SceneOutcome", "run_batch"]
