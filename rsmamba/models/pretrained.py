"""Start a segmentation network from official weights, or from those of a trained model."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from rsmamba.errors import ModelFileError, OptionError
from rsmamba.models.cvmh_unet import CVMHUNet
from rsmamba.models.model_header import FORMAT_NAME
from rsmamba.models.segmenter import Segmenter
from rsmamba.models.upstream.reading import load_official, read_checkpoint
from rsmamba.models.upstream.vmamba import cvmh_unet_state
from rsmamba.models.zoo import Weights, find_encoder


def start_from(network: nn.Module, name: str, *, weights: Weights) -> None:
    """Put official weights into the encoder of a network, or a trained model into all of it.

    Args:
        network: The network, changed in place. A CVMH-UNet takes weights of VMamba's first
            release; a network of encoder and decoder takes those of its encoder.
        name: Its name in the registry.
        weights: Official checkpoint, a file that ``rsmamba models convert`` wrote, or a model file
            of the same network, which may have another pruning.

    Raises:
        OptionError: If the network has no encoder that weights exist for.
        ModelFileError: If the weights cannot be read or do not fit.
    """
    trained = None if isinstance(weights, Mapping) else _tensors_of_model_file(Path(weights))
    if trained is not None:
        _load_all(network, trained, name=name, path=str(weights))
        return
    state = weights if isinstance(weights, Mapping) else read_checkpoint(weights)
    if isinstance(network, CVMHUNet):
        network.load_state_dict(cvmh_unet_state(state, network))
    elif isinstance(network, Segmenter):
        family, _ = find_encoder(name.partition("+")[0])
        load_official(network.encoder, state, family=family, part="encoder")
    else:
        message = f"network {name} has no encoder that official weights fit; leave weights out"
        raise OptionError(message)


def _tensors_of_model_file(path: Path) -> dict[str, Tensor] | None:
    """Read the weights of a model file; None if it is another file."""
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("rsmamba", "null"))
            if not isinstance(header, dict) or header.get("format") != FORMAT_NAME:
                return None
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError):
        # The reader of checkpoints says what is wrong with it.
        return None
    return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}


def _load_all(network: nn.Module, state: dict[str, Tensor], *, name: str, path: str) -> None:
    """Put all weights of a trained model into a network."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        message = (
            f"{path} is a trained model of another network than {name} with these options and "
            f"classes; give the options it was trained with: {reason}"
        )
        raise ModelFileError(message) from error
