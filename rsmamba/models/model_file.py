"""The model file: one ``.safetensors`` file with the weights and a JSON header.

Reading never unpickles. The header holds what is needed to build the network and to feed it: see
``SceneModel.header``.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rsmamba.errors import DeviceError, ModelFileError, OptionError
from rsmamba.models.building import building_within
from rsmamba.models.files import write_atomically
from rsmamba.models.model_header import (
    FORMAT_NAME,
    FORMAT_VERSION,
    ModelHeader,
    misfit,
    read_header,
    unreadable,
)
from rsmamba.models.registry import OPTIONS_OF_OLD_FILES, Architecture, create_model
from rsmamba.models.scene_model import SceneModel


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
    header = read_header(path_or_name)
    tensors = _read_tensors(header.path)
    try:
        with building_within(header.path, tensors):
            model = _build(header)
        model.network.load_state_dict(tensors)
    except ModelFileError:
        raise
    # What a wrong value does deep inside a network cannot be foreseen.
    except Exception as error:
        raise misfit(header.path, error) from error
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


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return {name: _restored(tensor) for name, tensor in tensors.items()}


def _restored(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _build(header: ModelHeader) -> SceneModel:
    stated = Architecture(**header.architecture)
    older = OPTIONS_OF_OLD_FILES.get(stated.name, {})
    architecture = replace(stated, options={**older, **stated.options})
    network = create_model(
        architecture.name,
        num_classes=header.num_classes,
        in_channels=header.in_channels,
        **architecture.options,
    )
    return SceneModel(
        network,
        classes=header.classes,
        architecture=architecture,
        in_channels=header.in_channels,
        mean=header.mean,
        std=header.std,
        gsd_m=header.gsd_m,
        input_multiple=header.input_multiple,
        input_dtype=header.input_dtype,
        band_names=header.band_names,
        name=header.name,
        metadata=header.metadata,
    )
