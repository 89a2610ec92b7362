"""Names and values of the official VMamba checkpoints, and their use in CVMH-UNet.

Source: MzeroMiko/VMamba at 2ed52ea. Two generations of names exist; files of before February 2024,
among them the first release, hold the older one. RS3Mamba's encoder has names of its own.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from rsmamba.errors import ModelFileError
from rsmamba.models.cvmh_unet import CVMHUNet
from rsmamba.models.encoders.family import Part, State
from rsmamba.models.encoders.vmamba.config import Config
from rsmamba.models.layers.cvss_block import CVSSBlock
from rsmamba.models.layers.position import resize_position_embedding
from rsmamba.models.layers.ss2d import SS2D
from rsmamba.models.layers.stage import Stage
from rsmamba.models.layers.vss_block import VSSBlock
from rsmamba.models.options import config_from_options

NEW_IN_ENCODER: tuple[str, ...] = (r"out_norms\.\d+\.",)

# Rules of one step, tried in this order; the first that matches decides.
_RULES: tuple[tuple[str, str], ...] = (
    (r"patch_embed\.(?:0|proj)\.", "stem.patches.proj."),
    (r"patch_embed\.(?:2|norm)\.", "stem.patches.norm."),
    (r"patch_embed\.5\.", "stem.patches.proj2."),
    (r"patch_embed\.7\.", "stem.patches.norm2."),
    (r"pos_embed$", "stem.position.embedding"),
    (r"outnorm(\d+)\.", r"out_norms.\1."),
    (r"(?:classifier\.)?(norm|head)\.", r"\1."),
)
_BLOCK = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)")
_DOWNSAMPLE = re.compile(r"(?:layers\.(\d+)\.downsample|downsamples\.(\d+))\.(.+)")
_OLD_BLOCK_NAMES = {"ln_1.": "norm.", "ln_2.": "norm2.", "self_attention.": "op."}
# Official sequences hold permutations between their layers.
_OUT_NORM_NAMES = {"op.out_norm.1.": "op.out_norm.", "op.out_norm.2.": "op.out_norm.1."}
_CONV_DOWNSAMPLE_NAMES = {"1.": "conv.", "3.": "norm."}
# Parts of our classifier that the encoder does without, and the other way round.
_ONLY_IN: dict[Part, tuple[str, ...]] = {
    "classifier": ("norm.", "head.", "stem.position."),
    "encoder": ("out_norms.",),
}

# What the official constructor takes where nothing is said.
_OFFICIAL_DEFAULTS: Mapping[str, Any] = {
    "patch_size": 4,
    "depths": (2, 2, 9, 2),
    "dims": (96, 192, 384, 768),
    "ssm_d_state": 16,
    "ssm_ratio": 2.0,
    "ssm_dt_rank": "auto",
    "ssm_act_layer": "silu",
    "ssm_conv": 3,
    "ssm_conv_bias": True,
    "forward_type": "v2",
    "mlp_ratio": 4.0,
    "mlp_act_layer": "gelu",
    "gmlp": False,
    "drop_path_rate": 0.1,
    "patch_norm": True,
    "norm_layer": "ln",
    "downsample_version": "v2",
    "patchembed_version": "v1",
    "posembed": False,
    "imgsize": 224,
}
_OUR_OPTIONS = {"ssm_d_state": "d_state", "ssm_dt_rank": "dt_rank", "drop_path_rate": "drop_path"}
# They are arguments of ours elsewhere, or change first values and training only.
_NO_OPTIONS = {
    "in_chans", "num_classes", "pretrained", "use_checkpoint", "ssm_drop_rate", "mlp_drop_rate",
    "ssm_init", "_SYNC",
}  # fmt: skip


def config_from_official(arguments: Mapping[str, Any]) -> Config:
    """Say in our words what the official constructor was given.

    Args:
        arguments: Keyword arguments of `VSSM` or `Backbone_VSSM`; dropout, first values,
            checkpointing and the numbers of bands and classes are passed over.

    Returns:
        The configuration of the same network.

    Raises:
        OptionError: If an argument is unknown or a value is not one that we have.

    Example:
        >>> config_from_official({"forward_type": "v05_noz", "ssm_d_state": 1}).d_state
        1
    """
    given = {name: value for name, value in arguments.items() if name not in _NO_OPTIONS}
    official = {**_OFFICIAL_DEFAULTS, **given}
    if isinstance(official["dims"], int):
        stages = range(len(official["depths"]))
        official["dims"] = tuple(official["dims"] * 2**stage for stage in stages)
    for ratio in ("ssm_ratio", "mlp_ratio"):
        official[ratio] = max(0.0, official[ratio])
    for word in ("norm_layer", "ssm_act_layer", "mlp_act_layer"):
        official[word] = official[word].lower()
    options = {_OUR_OPTIONS.get(name, name): value for name, value in official.items()}
    return config_from_options(Config, options)


def rename(key: str, *, part: Part) -> str | None:
    """Turn an official key, of either generation, into ours.

    Args:
        key: Key without the prefixes of wrappers.
        part: What is loaded.

    Returns:
        Our key; None for a key that only the other part has.

    Example:
        >>> rename("layers.0.blocks.1.self_attention.in_proj.weight", part="encoder")
        'stages.0.blocks.1.op.in_proj.weight'
    """
    ours = _renamed(key.removeprefix("vssm_encoder."))
    other: Part = "encoder" if part == "classifier" else "classifier"
    return None if ours.startswith(_ONLY_IN[other]) else ours


def adapt(state: State, module: nn.Module) -> State:
    """Give renamed weights the shapes that the module has.

    Linear layers of channels-first networks may be stored as 1x1 convolutions; a position
    embedding is resized to the module's grid.

    Args:
        state: Weights by our names.
        module: Encoder or classifier that they are for.

    Returns:
        The weights, the changed ones replaced.
    """
    expected = module.state_dict()
    return {key: _fitted(key, tensor, expected.get(key)) for key, tensor in state.items()}


def cvmh_unet_state(
    official_state: Mapping[str, Tensor], network: CVMHUNet, *, decoder: bool = False
) -> State:
    """Put weights of VMamba's first release into a CVMH-UNet.

    Patch embedding, mergings and the state-space mixers of the encoder take the official weights,
    as many blocks of a stage as both have. The third and fourth scan path of CVMH-UNet differ from
    VMamba's and start from the first and second. The other parts of a CVSS block are new: their
    last layers are set to zero, so that the block starts as the identity and no random layer
    disturbs what the mixers were trained with; the mixers come in as the fusion learns. Blocks of
    the VM-UNet baseline hold nothing new and compute what VMamba computes.

    Args:
        official_state: Official weights, of either generation of names, without wrapper prefixes.
        network: Network whose other weights are kept; it is not changed.
        decoder: Start the mixers of the decoder from the encoder stage of the same width, as
            VM-UNet does.

    Returns:
        Weights for `network.load_state_dict`.

    Raises:
        ModelFileError: If the weights do not fit, such as those of VMamba's second release, which
            have no gate.
    """
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    taken = _taken(official_state, network, decoder=decoder)
    problems = [
        f"{name} is {tuple(value.shape)} instead of {tuple(state[name].shape)}"
        if name in state
        else f"{name} has no place"
        for name, value in taken.items()
        if name not in state or value.shape != state[name].shape
    ]
    if problems or not taken:
        message = (
            "the weights are not those of a VMamba of the first release with this network's "
            f"width and state size: {'; '.join(problems[:5]) or 'no name is known'}"
        )
        raise ModelFileError(message)
    for name in _last_of_new_parts(network):
        state[name].zero_()
    return state | taken


def _renamed(key: str) -> str:
    """Turn an official key into ours, or return it as it is."""
    block = _BLOCK.fullmatch(key)
    if block:
        stage, index, rest = block.groups()
        rest = _prefix_replaced(_prefix_replaced(rest, _OLD_BLOCK_NAMES), _OUT_NORM_NAMES)
        return f"stages.{stage}.blocks.{index}.{rest}"
    downsample = _DOWNSAMPLE.fullmatch(key)
    if downsample:
        finer = int(downsample[1] or downsample[2])
        # Ours belongs to the stage behind it.
        rest = _prefix_replaced(downsample[3], _CONV_DOWNSAMPLE_NAMES)
        return f"stages.{finer + 1}.downsample.{rest}"
    for pattern, replacement in _RULES:
        ours, count = re.subn(f"^{pattern}", replacement, key)
        if count:
            return ours
    return key


def _prefix_replaced(name: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _fitted(key: str, tensor: Tensor, target: Tensor | None) -> Tensor:
    if target is None or tensor.shape == target.shape:
        return tensor
    if tensor.ndim == 4 and target.ndim == 2 and tensor.shape[2:] == (1, 1):
        return tensor[:, :, 0, 0]
    if key == "stem.position.embedding" and tensor.shape[:2] == target.shape[:2]:
        source, wanted = tensor.shape[2:], target.shape[2:]
        cells = resize_position_embedding(
            tensor.flatten(2).transpose(1, 2),
            source=(source[0], source[1]),
            target=(wanted[0], wanted[1]),
        )
        return cells.transpose(1, 2).reshape(target.shape)
    return tensor


def _taken(official: Mapping[str, Tensor], network: CVMHUNet, *, decoder: bool) -> State:
    """Official weights by the names that CVMH-UNet has for them, paths adapted."""
    taken: State = {}
    for official_name, tensor in official.items():
        name = _renamed(official_name)
        taken |= dict.fromkeys(_places(name, network, decoder=decoder), tensor)
    return {name: _for_paths(name, tensor, network) for name, tensor in taken.items()}


def _places(name: str, network: CVMHUNet, *, decoder: bool) -> list[str]:
    """Names in CVMH-UNet that start from an official weight; none for one without a use."""
    if name.startswith("stem.patches."):
        return [name.replace("stem.patches.", "patch_embed.")]
    merging = re.fullmatch(r"stages\.(\d+)\.downsample\.(.+)", name)
    if merging:
        return [f"mergings.{int(merging[1]) - 1}.{merging[2]}"]
    block = re.fullmatch(r"stages\.(\d+)\.blocks\.(\d+)\.(.+)", name)
    if not block:
        return []
    level, index, rest = int(block[1]), int(block[2]), block[3]
    places = []
    sides = {"encoder": level}
    if decoder:
        sides["decoder"] = len(network.decoder) - 1 - level
    for side, position in sides.items():
        stage = network.get_submodule(f"{side}.{position}")
        if isinstance(stage, Stage) and index < len(stage.blocks):
            inner = "mixer." if isinstance(stage.blocks[index], CVSSBlock) else ""
            places.append(f"{side}.{position}.blocks.{index}.{inner}{rest}")
    return places


def _for_paths(name: str, tensor: Tensor, network: CVMHUNet) -> Tensor:
    """Start scan paths that VMamba lacks from those that it has."""
    owner, _, leaf = name.rpartition(".")
    if leaf not in {"x_proj_weight", "dt_projs_weight", "dt_projs_bias", "A_logs", "Ds"}:
        return tensor
    mixer = network.get_submodule(owner)
    if not isinstance(mixer, SS2D) or mixer.paths == "cross":
        return tensor
    # Direction-major: the first half belongs to rows and columns.
    return tensor[: tensor.shape[0] // 2].repeat(2, *[1] * (tensor.ndim - 1))


def _last_of_new_parts(network: CVMHUNet) -> list[str]:
    """Name the weights whose zeros make each CVSS block the identity."""
    names = []
    for block_name, block in network.named_modules():
        if isinstance(block, CVSSBlock) and isinstance(block.mixer, VSSBlock):
            for layer in (f"fusion.{len(block.fusion) - 1}", "feed_forward.restore.1"):
                names += [f"{block_name}.{layer}.weight", f"{block_name}.{layer}.bias"]
    return names
