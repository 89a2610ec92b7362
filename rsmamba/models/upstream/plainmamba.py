"""Names of the official PlainMamba checkpoints (ChenhongyiYang/PlainMamba)."""

import re

from torch import nn

from rsmamba.models.encoders.family import Part, State
from rsmamba.models.encoders.plainmamba.backbone import Backbone
from rsmamba.models.layers.position import resize_square_embedding

NEW_IN_ENCODER = (r"out_norms\.", r"pyramid\.")
"""Keys of our encoder that a classification checkpoint does not hold."""

_OUT_NORM = re.compile(r"norm_layer(\d+)\.(.+)")


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
