"""Networks, and the wrapper that makes one predict scenes."""

from rsmamba.models.model_file import load_model, resolve_device, save_model
from rsmamba.models.registry import (
    MODELS,
    Architecture,
    create_model,
    describe_architecture,
    list_models,
    model_entry,
)
from rsmamba.models.scene_model import SceneModel
from rsmamba.models.zoo import create_classifier, create_encoder, list_encoders

__all__ = [
    "MODELS",
    "Architecture",
    "SceneModel",
    "create_classifier",
    "create_encoder",
    "create_model",
    "describe_architecture",
    "list_encoders",
    "list_models",
    "load_model",
    "model_entry",
    "resolve_device",
    "save_model",
]
