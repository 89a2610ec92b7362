"""Networks, and the wrapper that makes one predict scenes.

The public names load on first use: a model file's header can be read without torch.
"""

from typing import TYPE_CHECKING

from rsmamba.lazy import loader_of

if TYPE_CHECKING:
    from rsmamba.models.model_file import load_model, resolve_device, save_model
    from rsmamba.models.model_header import ModelHeader, read_header
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
    "ModelHeader",
    "SceneModel",
    "create_classifier",
    "create_encoder",
    "create_model",
    "describe_architecture",
    "list_encoders",
    "list_models",
    "load_model",
    "model_entry",
    "read_header",
    "resolve_device",
    "save_model",
]

_HOME_OF_NAME = {
    "MODELS": "rsmamba.models.registry",
    "Architecture": "rsmamba.models.registry",
    "ModelHeader": "rsmamba.models.model_header",
    "SceneModel": "rsmamba.models.scene_model",
    "create_classifier": "rsmamba.models.zoo",
    "create_encoder": "rsmamba.models.zoo",
    "create_model": "rsmamba.models.registry",
    "describe_architecture": "rsmamba.models.registry",
    "list_encoders": "rsmamba.models.zoo",
    "list_models": "rsmamba.models.registry",
    "load_model": "rsmamba.models.model_file",
    "model_entry": "rsmamba.models.registry",
    "read_header": "rsmamba.models.model_header",
    "resolve_device": "rsmamba.models.model_file",
    "save_model": "rsmamba.models.model_file",
}

__getattr__ = loader_of(__name__, _HOME_OF_NAME)
