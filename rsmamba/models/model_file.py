"""The model file: one ``.safetensors`` file with the weights and a JSON header.

Reading never unpickles. The header holds what is needed to build the network and to feed it: see
``SceneModel.header``.
"""

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rsmamba.classes import ClassScheme
from rsmamba.errors import DeviceError, ModelFileError, OptionError, RsmambaError
from rsmamba.models.files import write_atomically
from rsmamba.models.registry import Architecture, create_model
from rsmamba.models.scene_model import SceneModel

FORMAT_NAME = "rsmamba-model"
FORMAT_VERSION = 1
BUNDLED_MODELS = ("default",)
_PICKLE_MARKS = (b"\x80", b"PK\x03\x04")


def save_model(model: SceneModel, path: str | os.PathLike[str], *, half: bool = False) -> Path:
    """Write a model file; it appears under its name only when complete.

    Args:
        model: The model; its ``architecture`` must be set.
        path: Output file, overwritten if it exists.
        half: Store floating point weights as float16, which halves the file. Reading turns them
            back to float32.

    Returns:
        The path.

    Raises:
        OptionError: If the model does not know its architecture.
        OutputError: If the file cannot be written.
    """
    path = Path(path)
    if model.architecture is None:
        message = "this model wraps a network that is not in the registry, so it cannot be saved"
        raise OptionError(message)
    header = {"format": FORMAT_NAME, "format_version": FORMAT_VERSION, **model.header()}
    tensors = {
        name: _stored(tensor, half=half) for name, tensor in model.network.state_dict().items()
    }
    content = save(tensors, metadata={"rsmamba": json.dumps(header, sort_keys=True)})
    write_atomically(path, content)
    return path


def load_model(
    path_or_name: str | os.PathLike[str] = "default", device: str | torch.device = "auto"
) -> SceneModel:
    """Read a model file, ready to predict.

    Args:
        path_or_name: A file, or the name of a model that the package carries: "default".
        device: "auto" takes a GPU where there is one; or "cpu", "cuda", "cuda:1", "mps".

    Returns:
        The model in evaluation mode on the device.

    Raises:
        ModelFileError: If there is no such file or name, or the file is not a model file.
        DeviceError: If the device is not there.
    """
    path = _locate(path_or_name)
    header, tensors = _read(path)
    try:
        model = _build(header)
        model.network.load_state_dict(tensors)
    except (RsmambaError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        message = f"{path}: the model file does not fit this version of rsmamba: {reason}"
        raise ModelFileError(message) from error
    return model.eval().to(resolve_device(device))


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn a device word into a device that is there.

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Returns:
        The device; "auto" takes CUDA, then MPS, then the CPU.

    Raises:
        DeviceError: If the word is unknown or the device is missing.
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        message = f"no device is called {device!r}; give auto, cpu, cuda, cuda:N or mps"
        raise DeviceError(message) from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (resolved.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(resolved.type, False):
        message = f"device {device} is not available on this machine; give --device cpu or auto"
        raise DeviceError(message)
    return resolved


def _stored(tensor: torch.Tensor, *, half: bool) -> torch.Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() else tensor.clone()


def _locate(path_or_name: str | os.PathLike[str]) -> Path:
    if path_or_name in BUNDLED_MODELS:
        bundled = resources.files("rsmamba.models.weights") / f"{path_or_name}.safetensors"
        path = Path(str(bundled))
    else:
        path = Path(path_or_name)
    if not path.is_file():
        message = (
            f"no model file at {path_or_name!s}; give a .safetensors file "
            f"or one of the bundled models: {', '.join(BUNDLED_MODELS)}"
        )
        raise ModelFileError(message)
    return path


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file starts with eight bytes of any value, the length of its JSON header.
    if start.startswith(_PICKLE_MARKS) and not start.endswith(b"{"):
        message = (
            f"{path} is a pickled checkpoint, which can run code when read and is never loaded; "
            "give a .safetensors model file"
        )
        raise ModelFileError(message)
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("rsmamba", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        message = f"{path} is not a readable model file ({error}); download or save it again"
        raise ModelFileError(message) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT_NAME:
        message = f"{path} is a safetensors file without the header of an rsmamba model"
        if isinstance(header, dict) and header.get("format") == "rsmamba-encoder-weights":
            message = (
                f"{path} holds weights of the encoder {header.get('name')}, which has no classes "
                "of its own; train it with a decoder (model.weights in a training configuration)"
            )
        raise ModelFileError(message)
    if header.get("format_version", 0) > FORMAT_VERSION:
        message = (
            f"{path} has model format {header['format_version']}, this rsmamba reads up to "
            f"{FORMAT_VERSION}; upgrade rsmamba"
        )
        raise ModelFileError(message)
    return header, {name: _restored(tensor) for name, tensor in tensors.items()}


def _restored(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _build(header: dict[str, Any]) -> SceneModel:
    architecture = Architecture(**header["architecture"])
    classes = ClassScheme.from_dict(header["classes"])
    network = create_model(
        architecture.name,
        num_classes=classes.num_classes,
        in_channels=header["in_channels"],
        **architecture.options,
    )
    return SceneModel(
        network,
        classes=classes,
        architecture=architecture,
        in_channels=header["in_channels"],
        mean=header["mean"],
        std=header["std"],
        gsd_m=header["gsd_m"],
        input_multiple=header["input_multiple"],
        input_dtype=header["input_dtype"],
        band_names=header["band_names"],
        name=header["name"],
        metadata=header["metadata"],
    )
