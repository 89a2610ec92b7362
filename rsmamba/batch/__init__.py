"""Many scenes: what to predict, what is done already, and what became of each."""

from rsmamba.batch.mosaic import make_mosaic
from rsmamba.batch.mosaic_result import MosaicResult
from rsmamba.batch.result import BatchResult, SceneOutcome
from rsmamba.batch.run import run_batch

__all__ = ["BatchResult", "MosaicResult", "SceneOutcome", "make_mosaic", "run_batch"]
