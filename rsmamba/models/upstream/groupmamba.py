"""Names of the official GroupMamba checkpoints.

Source: Amshaker/GroupMamba, c1800ed. An official file holds the four groups of a mixer as four
modules `mamba_g1` to `mamba_g4`; ours holds them in one, so `adapt` joins their values.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from rsmamba.models.encoders.family import Part, State
from rsmamba.models.encoders.groupmamba.config import Config
from rsmamba.models.options import config_from_options

NEW_IN_ENCODER: tuple[str, ...] = ()
"""The norms of all stages are in a classification checkpoint; the last saw class tokens only."""

_TOP_LEVEL = (
    (re.compile(r"patch_embed(\d+)\."), "stages.{}.patch_embed."),
    (re.compile(r"block(\d+)\."), "stages.{}.blocks."),
    (re.compile(r"norm(\d+)\."), "stages.{}.norm."),
)
_RENAMED = (
    ("post_network.0.norm1.", "class_block.mixer_norm."),
    ("post_network.0.", "class_block."),
    (".norm2.", ".mlp_norm."),
    (".attn.mamba_", ".mixer.scan.mamba_"),
    (".attn.fc", ".mixer.affinity.fc"),
    (".attn.", ".mixer."),
    (".dwconv.dwconv.", ".dwconv."),
)
_CLASSIFIER_ONLY = ("post_network.", "head.", "dist_head.")
_FIRST_GROUP = re.compile(r"(?P<scan>.*\.scan\.)mamba_g1\.(?P<name>.+)")
# Joined along a new first axis; the others have one of their own, or take the groups as channels.
_NEW_AXIS = frozenset({"in_proj.weight", "out_proj.weight", "A_logs", "Ds"})


# Arguments of ours elsewhere, or without an effect; `norm_layer` only brings its eps.
_NO_OPTIONS = {"in_chans", "num_classes", "num_stages", "norm_layer", "drop_rate"}


def config_from_official(arguments: Mapping[str, Any]) -> Config:
    """Say in our words what the official constructor was given.

    Args:
        arguments: Keyword arguments of `GroupMamba`; the numbers of bands and classes are passed
            over.

    Returns:
        The configuration of the same network.

    Raises:
        OptionError: If an argument is unknown.
    """
    options = {name: value for name, value in arguments.items() if name not in _NO_OPTIONS}
    if "drop_path_rate" in options:
        options["drop_path"] = options.pop("drop_path_rate")
    return config_from_options(Config, options)


def rename(key: str, *, part: Part) -> str | None:
    """Turn an official key into ours.

    Keys of a single group keep their group, as in `stages.0.blocks.0.mixer.scan.mamba_g1.Ds`, until
    `adapt` joins the four.

    Args:
        key: Official key, without the prefix of a wrapper.
        part: What is to be filled.

    Returns:
        Our key, or None for a key that the part does not use.

    Example:
        >>> rename("block1.0.attn.norm.weight", part="encoder")
        'stages.0.blocks.0.mixer.norm.weight'
    """
    if key.startswith(_CLASSIFIER_ONLY) and part == "encoder":
        return None
    for pattern, ours in _TOP_LEVEL:
        match = pattern.match(key)
        if match:
            key = ours.format(int(match[1]) - 1) + key[match.end() :]
    for official, replacement in _RENAMED:
        key = key.replace(official, replacement)
    return key


def adapt(state: State, module: nn.Module) -> State:
    """Join the groups of each mixer, and leave out a second head that the module does not have.

    Args:
        state: Tensors by renamed key.
        module: Encoder or classifier that is to be filled.

    Returns:
        Tensors by our key; groups that are not complete or not alike keep their keys, for the
        strict check to name them.
    """
    heads = {name.partition(".")[0] for name in module.state_dict()}
    adapted = {
        key: tensor
        for key, tensor in state.items()
        if not key.startswith("dist_head.") or "dist_head" in heads
    }
    for match in [match for key in state if (match := _FIRST_GROUP.fullmatch(key))]:
        keys = [f"{match['scan']}mamba_g{group}.{match['name']}" for group in (1, 2, 3, 4)]
        if len({state[key].shape if key in state else None for key in keys}) == 1:
            join = torch.stack if match["name"] in _NEW_AXIS else torch.cat
            adapted[match["scan"] + match["name"]] = join([adapted.pop(key) for key in keys])
    return adapted
