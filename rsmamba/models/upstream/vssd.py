"""Names of the official VSSD checkpoints (YuHengsss/VSSD at 87b753b): ours are the same."""

from collections.abc import Mapping
from typing import Any

from rsmamba.errors import OptionError
from rsmamba.models.encoders.family import Part
from rsmamba.models.encoders.vssd.config import Config
from rsmamba.models.options import config_from_options

NEW_IN_ENCODER: tuple[str, ...] = (r"outnorm\d+\.(weight|bias)$",)

# What the official constructor takes where nothing is said.
_OFFICIAL_DEFAULTS: Mapping[str, Any] = {
    "embed_dim": 64,
    "depths": (2, 4, 12, 4),
    "num_heads": (2, 4, 8, 16),
    "linear_attn_duality": False,
}
_OUR_OPTIONS = {
    "drop_path_rate": "drop_path",
    "ssd_positve_dA": "ssd_positive_dA",
    "async_state": "d_state",
}
# They are arguments of ours elsewhere, concern training only, or have no effect in the official
# code either ("ssd_expand" is a slip of its segmentation configurations).
_NO_OPTIONS = {
    "img_size", "patch_size", "in_chans", "num_classes", "qkv_bias", "drop_rate", "use_checkpoint",
    "ssd_chunk_size", "ssd_expand", "lepe", "out_indices", "pretrained", "key",
}  # fmt: skip
# The released weights of the ICCV 2025 edition have all of them, those of the other none.
_ICCV_FLAGS = {
    "rmt_patch_embed", "rmt_downsample", "use_cpe", "ssd_linear_norm", "exp_da", "rope",
}  # fmt: skip


def config_from_official(arguments: Mapping[str, Any]) -> Config:
    """Say in our words what the official constructor was given.

    Args:
        arguments: Keyword arguments of `VMAMBA2` or `Backbone_VMAMBA2`; dropout, checkpointing and
            the numbers of bands and classes are passed over.

    Returns:
        The configuration of the same network.

    Raises:
        OptionError: If an argument is unknown, or if some flags of the ICCV edition are set and
            others are not.

    Example:
        >>> config_from_official({"depths": [2, 2, 8, 4], "ssd_positve_dA": False}).ssd_positive_dA
        False
    """
    given = {**_OFFICIAL_DEFAULTS, **arguments}
    flags = {name for name in _ICCV_FLAGS if given.pop(name, False)}
    if flags and flags != _ICCV_FLAGS:
        message = f"set all of {sorted(_ICCV_FLAGS)} or none; missing {sorted(_ICCV_FLAGS - flags)}"
        raise OptionError(message)
    options = {
        _OUR_OPTIONS.get(name, name): value
        for name, value in given.items()
        if name not in _NO_OPTIONS
    }
    options.setdefault("attn_types", ("mamba2",) * len(given.get("depths", Config().depths)))
    return config_from_options(Config, {"edition": "iccv" if flags else "arxiv", **options})


def rename(key: str, *, part: Part) -> str | None:
    """Return our key for an official one.

    Args:
        key: Key of the official state dict, without the prefix of a wrapper.
        part: What the key is for.

    Returns:
        The key in our module, or None for what it does not hold: the head of the classifier in
        an encoder, and tables of rotary angles, which follow from the size of the map.
    """
    if key.endswith(".ropes.rotations"):
        return None
    if part == "encoder" and key.startswith(("norm.", "head.")):
        return None
    return key
