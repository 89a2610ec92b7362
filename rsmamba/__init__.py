"""Segment large georeferenced scenes with vision state-space (Mamba) networks.

The public names load on first use, so that ``import rsmamba`` costs neither torch nor rasterio.
"""

from typing import TYPE_CHECKING

from rsmamba.lazy import loader_of

if TYPE_CHECKING:
    from rsmamba.batch.result import BatchResult
    from rsmamba.batch.run import run_batch
    from rsmamba.classes import ClassScheme
    from rsmamba.errors import RsmambaError
    from rsmamba.evaluation.engine import evaluate
    from rsmamba.evaluation.result import AccuracyReport
    from rsmamba.geo.scene import Scene
    from rsmamba.geo.tiles import TileGrid
    from rsmamba.models.model_file import load_model, save_model
    from rsmamba.models.registry import create_model, list_models
    from rsmamba.models.scene_model import SceneModel
    from rsmamba.prediction.engine import predict
    from rsmamba.prediction.result import PredictResult

__version__ = "0.1.0"

_HOME_OF_NAME = {
    "AccuracyReport": "rsmamba.evaluation.result",
    "BatchResult": "rsmamba.batch.result",
    "ClassScheme": "rsmamba.classes",
    "PredictResult": "rsmamba.prediction.result",
    "RsmambaError": "rsmamba.errors",
    "Scene": "rsmamba.geo.scene",
    "SceneModel": "rsmamba.models.scene_model",
    "TileGrid": "rsmamba.geo.tiles",
    "create_model": "rsmamba.models.registry",
    "evaluate": "rsmamba.evaluation.engine",
    "list_models": "rsmamba.models.registry",
    "load_model": "rsmamba.models.model_file",
    "predict": "rsmamba.prediction.engine",
    "run_batch": "rsmamba.batch.run",
    "save_model": "rsmamba.models.model_file",
}

__all__ = [
    "AccuracyReport",
    "BatchResult",
    "ClassScheme",
    "PredictResult",
    "RsmambaError",
    "Scene",
    "SceneModel",
    "TileGrid",
    "create_model",
    "evaluate",
    "list_models",
    "load_model",
    "predict",
    "run_batch",
    "save_model",
]


__getattr__ = loader_of(__name__, _HOME_OF_NAME)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
