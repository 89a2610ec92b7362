"""Read checkpoints of the official repositories, strictly and without running code from them."""

import argparse
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from rsmamba.errors import ModelFileError
from rsmamba.models.encoders.family import Family, Part, State

# In the order of preference: where a file holds averaged weights, its advertised accuracy is
# theirs.
WRAPPERS = ("model_ema", "model", "state_dict")
_PREFIXES = ("module.", "backbone.")
# Heads of segmentation and detection files, and averages that hooks leave beside the weights.
_UNUSED = re.compile(r"(decode_head|auxiliary_head|neck|rpn_head|roi_head)\.|ema_")


def read_checkpoint(path: str | os.PathLike[str], *, wrapper: str | None = None) -> State:
    """Read the weights of a checkpoint under their official names.

    Args:
        path: A ``.pth``, ``.pt`` or ``.safetensors`` file.
        wrapper: Key of the file that holds the weights; None takes the first of "model_ema",
            "model" and "state_dict" that is there, else the file itself.

    Returns:
        Tensors by official name, without the prefixes "module." and "backbone.".

    Raises:
        ModelFileError: If the file is missing, unreadable, holds objects besides tensors and
            plain values, or has no weights where they are looked for.
    """
    path = Path(path)
    if not path.is_file():
        message = f"no checkpoint at {path}; give a .pth or .safetensors file"
        raise ModelFileError(message)
    content = _load(path)
    state = _unwrapped(content, wrapper=wrapper, path=path)
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        message = (
            f"{path} holds no weights{'' if wrapper is None else f' under {wrapper!r}'}; "
            f"its keys are {', '.join(map(str, list(content)[:8]))}"
        )
        raise ModelFileError(message)
    return {_stripped(name): tensor for name, tensor in tensors.items()}


def load_official(
    module: nn.Module, state: Mapping[str, Tensor], *, family: Family, part: Part
) -> None:
    """Put official weights into a classifier or an encoder.

    Weights of the first layer for three bands also fit another number of bands: band i takes the
    weights of official band i mod 3, scaled by 3 / bands, so that answers keep their size.

    Args:
        module: Module of the family, changed in place.
        state: Tensors by official name, as ``read_checkpoint`` returns them.
        family: The family of the module.
        part: What the module is.

    Raises:
        ModelFileError: If anything is missing, left over or of another shape; the text names
            every such key.
    """
    if family.rename is None:
        message = f"no official weights of {family.name} are released, so none can be read"
        raise ModelFileError(message)
    renamed: State = {}
    for name, tensor in state.items():
        ours = None if _UNUSED.match(name) else family.rename(name, part=part)
        if ours is not None:
            renamed[ours] = tensor
    if family.adapt is not None:
        renamed = family.adapt(renamed, module)
    expected = module.state_dict()
    renamed = {name: _fitted(tensor, expected.get(name)) for name, tensor in renamed.items()}
    unknown = sorted(set(renamed) - set(expected))
    new = re.compile("|".join(f"(?:{pattern})" for pattern in family.new_in_encoder) or r"(?!)")
    missing = sorted(
        name
        for name in set(expected) - set(renamed)
        if not (part == "encoder" and new.match(name)) and not name.endswith("num_batches_tracked")
    )
    misshapen = [
        f"{name} {tuple(renamed[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in sorted(set(renamed) & set(expected))
        if renamed[name].shape != expected[name].shape
    ]
    problems = {"missing": missing, "not expected": unknown, "of another shape": misshapen}
    text = "; ".join(f"{what}: {', '.join(names)}" for what, names in problems.items() if names)
    if text:
        message = f"the checkpoint does not fit this {family.name} {part}: {text}"
        raise ModelFileError(message)
    module.load_state_dict(renamed, strict=False)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Training scripts leave their arguments in the file; a Namespace only holds values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what broken pickles raise has no limits
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            message = (
                f"{path} holds Python objects besides tensors, which could run code when read; if "
                'you trust it, convert it once with: python -c "import torch; '
                f"c = torch.load('{path}', weights_only=False, map_location='cpu'); "
                f"torch.save({{k: c[k] for k in {WRAPPERS} if k in c}}, 'weights_only.pth')\""
            )
        else:
            # What a broken pickle says means nothing, or advises reading it without the safeguard.
            is_told = isinstance(error, OSError | RuntimeError) or path.suffix == ".safetensors"
            text = str(error) if is_told else "no file that torch wrote"
            reason = text.splitlines()[0] if text else type(error).__name__
            message = f"{path} is not a readable checkpoint ({reason}); download it again"
        raise ModelFileError(message) from error
    if not isinstance(content, Mapping):
        message = f"{path} holds a {type(content).__name__}, not weights by name"
        raise ModelFileError(message)
    return content


def _unwrapped(content: Mapping[str, Any], *, wrapper: str | None, path: Path) -> Mapping[str, Any]:
    if wrapper is not None and not isinstance(content.get(wrapper), Mapping):
        message = (
            f"{path} has no weights under {wrapper!r}; "
            f"its keys are {', '.join(map(str, list(content)[:8]))}"
        )
        raise ModelFileError(message)
    for key in WRAPPERS if wrapper is None else (wrapper,):
        inner = content.get(key)
        if isinstance(inner, Mapping):
            return inner
    return content


def _stripped(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _fitted(tensor: Tensor, target: Tensor | None) -> Tensor:
    """Adapt first-layer weights (out, 3, k, k) to another number of bands."""
    if target is None or tensor.ndim != 4 or target.ndim != 4 or tensor.shape == target.shape:
        return tensor
    bands = target.shape[1]
    same_otherwise = tensor.shape[0] == target.shape[0] and tensor.shape[2:] == target.shape[2:]
    if tensor.shape[1] != 3 or not same_otherwise:
        return tensor
    if bands == 1:
        return tensor.sum(dim=1, keepdim=True)
    chosen = [band % 3 for band in range(bands)]
    return tensor[:, chosen] * (3 / bands)
