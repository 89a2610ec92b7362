"""Names of the official ViM checkpoints (hustvl/Vim)."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from rsmamba.models.encoders.family import Part, State
from rsmamba.models.encoders.vim.backbone import Backbone
from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.sequence import class_positions, insert_entries, split_entries
from rsmamba.models.layers.position import resize_square_embedding
from rsmamba.models.options import config_from_options

NEW_IN_ENCODER = (r"pyramid\.",)
"""Keys of our encoder that a classification checkpoint does not hold."""

# What a direction owns, and the mark of the backward one: A_log, A_b_log, conv1d_b.weight.
_OWNED = re.compile(r"(.*\.mixer\.)(A|D|conv1d|x_proj|dt_proj)(_b)?((?:_log)?(?:\..*)?)")
_PYRAMID = re.compile(r"fpn(\d)\.(.*)")
_WHOLE_NETWORK = ("norm_f.", "head.")
# In their order in the sequence; a network has the first, or the other two, or none.
_CLASS_TOKENS = ("backbone.cls_token", "backbone.cls_token_head", "backbone.cls_token_tail")


# Arguments of ours elsewhere, or that choose a kernel or first values.
_NO_OPTIONS = {
    "channels", "in_chans", "num_classes", "fused_add_norm", "ssm_cfg", "initializer_cfg",
    "ft_seq_len", "if_bimamba", "device", "dtype", "pretrained",
}  # fmt: skip


def config_from_official(arguments: Mapping[str, Any]) -> Config:
    """Say in our words what the official constructor was given.

    Args:
        arguments: Keyword arguments of `VisionMamba` or `VisionMambaSeg`; the numbers of bands and
            classes and the choice of kernels are passed over.

    Returns:
        The configuration of the same network.

    Raises:
        OptionError: If an argument is unknown. The misspelt `if_devide_out` is passed over, as
            the official constructor does.
    """
    ignored = _NO_OPTIONS | {"if_devide_out"}
    options = {name: value for name, value in arguments.items() if name not in ignored}
    if "out_indices" not in options and "depth" in options:
        last = int(options["depth"]) - 1
        options["out_indices"] = (last,) * 4
    return config_from_options(Config, options)


def rename(key: str, *, part: Part) -> str | None:
    """Turn an official key, without the prefix "backbone.", into ours.

    Args:
        key: Key of a classification or segmentation checkpoint.
        part: What it is loaded into.

    Returns:
        Our key, or None for a key that the part does not use.

    Example:
        >>> rename("layers.3.mixer.A_b_log", part="encoder")
        'backbone.layers.3.mixer.directions.1.A_log'
    """
    key = key.removeprefix("backbone.")
    # Rotations are computed for the grid at hand.
    if key.startswith("rope.") or (key.startswith("head.") and part == "encoder"):
        return None
    if level := _PYRAMID.fullmatch(key):
        return f"pyramid.levels.{int(level[1]) - 1}.{level[2]}" if part == "encoder" else None
    if key.startswith(_WHOLE_NETWORK):
        return key
    if owned := _OWNED.fullmatch(key):
        return f"backbone.{owned[1]}directions.{1 if owned[3] else 0}.{owned[2]}{owned[4]}"
    return f"backbone.{key}"


def adapt(state: State, module: nn.Module) -> State:
    """Fit class tokens and position embedding to the module.

    A dense form gets the embedding without the entries of class tokens, wherever they stand;
    another grid gets it resized. What the dense form has no use for is left out.

    Args:
        state: Tensors by our keys.
        module: What they are loaded into.

    Returns:
        Tensors that fit the module, where they can be made to fit.
    """
    backbone = module.backbone
    if not isinstance(backbone, Backbone):
        return state
    adapted = dict(state)
    classes = [adapted.pop(name) for name in _CLASS_TOKENS if name in state]
    if backbone.cls_token is not None and classes:
        adapted["backbone.cls_token"] = torch.cat(classes, dim=1)
    name = "backbone.pos_embed"
    if name in adapted:
        adapted[name] = _position(adapted[name], backbone, num_classes=len(classes))
    if getattr(module, "norm_f", None) is None:
        adapted = {key: value for key, value in adapted.items() if not key.startswith("norm_f.")}
    return adapted


def _position(position: torch.Tensor, backbone: Backbone, *, num_classes: int) -> torch.Tensor:
    """Resize the entries of patches, and keep, drop or move those of class tokens."""
    rows, cols = backbone.trained_grid
    ours = backbone.positions(rows * cols)
    theirs = class_positions(backbone.config, position.shape[1] - num_classes)
    if len(theirs) != num_classes:
        theirs = ()
    patches, entries = split_entries(position, theirs)
    resized = resize_square_embedding(patches, target=(rows, cols))
    return insert_entries(resized, entries, ours) if len(ours) == entries.shape[1] else resized
