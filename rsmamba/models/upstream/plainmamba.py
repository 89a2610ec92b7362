"""Names of the official PlainMamba checkpoints (ChenhongyiYang/PlainMamba)."""

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from rsmamba.models.encoders.family import Part, State
from rsmamba.models.encoders.plainmamba.backbone import Backbone
from rsmamba.models.encoders.plainmamba.config import VARIANTS, Config
from rsmamba.models.layers.position import resize_square_embedding
from rsmamba.models.options import config_from_options

NEW_IN_ENCODER = (r"out_norms\.", r"pyramid\.")
"""Keys of our encoder that a classification checkpoint does not hold."""

_OUT_NORM = re.compile(r"norm_layer(\d+)\.(.+)")


# Arguments of ours elsewhere, or that change first values, the training or the speed only.
_NO_OPTIONS = {
    "type", "arch", "in_channels", "dt_init", "dt_min", "dt_max", "dt_scale", "dt_init_floor",
    "default_hw_shape", "init_cfg", "convert_syncbn", "freeze_patch_embed", "pre_norm",
}  # fmt: skip


def config_from_official(arguments: Mapping[str, Any]) -> Config:
    """Say in our words what the official constructor was given.

    Args:
        arguments: The configuration of an official classifier, or its part "backbone"; `arch` may
            name a published size ("L1").

    Returns:
        The configuration of the same network, with the four maps of one size of the official
        dense form.

    Raises:
        OptionError: If an argument is unknown.
    """
    backbone = dict(arguments.get("backbone", arguments))
    layer = dict(backbone.pop("layer_cfgs", {}))
    mixer = dict(layer.pop("mamba_cfg", {}))
    name = f"plainmamba_{str(backbone.get('arch')).lower()}"
    options = {**(VARIANTS[name].options if name in VARIANTS else {}), "pyramid": False}
    for part in (backbone, layer, mixer):
        options |= {name: value for name, value in part.items() if name not in _NO_OPTIONS}
    return config_from_options(Config, options)


def rename(key: str, *, part: Part) -> str | None:
    """Turn an official key, without the prefix "backbone.", into ours.

    Args:
        key: Key of a classification or segmentation checkpoint.
        part: What it is loaded into.

    Returns:
        Our key, or None for a key that the part does not use.

    Example:
        >>> rename("norm_layer5.weight", part="encoder")
        'out_norms.5.weight'
    """
    key = key.removeprefix("backbone.")
    if key.startswith("ema_"):  # running averages beside the weights that are in use
        return None
    if key.startswith("head."):
        return key.replace("head.fc.", "head.") if part == "classifier" else None
    if out_norm := _OUT_NORM.fullmatch(key):
        return f"out_norms.{out_norm[1]}.{out_norm[2]}" if part == "encoder" else None
    return f"backbone.{key}"


def adapt(state: State, module: nn.Module) -> State:
    """Resize the position embedding of a square grid to the one of the module.

    Args:
        state: Tensors by our keys.
        module: What they are loaded into.

    Returns:
        Tensors that fit the module, where resizing can make them fit.
    """
    name = "backbone.pos_embed"
    backbone = module.backbone
    if name not in state or not isinstance(backbone, Backbone):
        return state
    resized = resize_square_embedding(state[name], target=backbone.trained_grid)
    return {**state, name: resized}
