"""The encoders by name: create one, or the classifier that its released weights are."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from rsmamba.errors import OptionError
from rsmamba.models.encoders import groupmamba, mambamixer, plainmamba, vim, vmamba, vssd
from rsmamba.models.encoders.base import Encoder, Variant
from rsmamba.models.encoders.family import Family, Part, family_of
from rsmamba.models.options import closest, config_from_options
from rsmamba.models.upstream import groupmamba as groupmamba_names
from rsmamba.models.upstream import plainmamba as plainmamba_names
from rsmamba.models.upstream import vim as vim_names
from rsmamba.models.upstream import vmamba as vmamba_names
from rsmamba.models.upstream import vssd as vssd_names
from rsmamba.models.upstream.reading import load_official, read_checkpoint

FAMILIES: tuple[Family, ...] = (
    family_of(vmamba, vmamba_names),
    family_of(vssd, vssd_names),
    family_of(groupmamba, groupmamba_names),
    family_of(plainmamba, plainmamba_names),
    family_of(vim, vim_names),
    family_of(mambamixer),
)
_FAMILY_OF_ENCODER = {name: family for family in FAMILIES for name in family.variants}

Weights = str | os.PathLike[str] | Mapping[str, Tensor]


def list_encoders() -> list[str]:
    """Return the names that ``create_encoder`` and ``create_classifier`` know, sorted.

    Returns:
        The names.

    Example:
        >>> "vssd_tiny" in list_encoders()
        True
    """
    return sorted(_FAMILY_OF_ENCODER)


def find_encoder(name: str) -> tuple[Family, Variant]:
    """Return the family and the published size that a name stands for.

    Args:
        name: Name of an encoder.

    Returns:
        The family and the variant.

    Raises:
        OptionError: If there is no such encoder; the text lists the names.
    """
    if name not in _FAMILY_OF_ENCODER:
        message = (
            f"no encoder is called {name!r}{closest(name, _FAMILY_OF_ENCODER)}; "
            f"the encoders are {', '.join(list_encoders())}"
        )
        raise OptionError(message)
    family = _FAMILY_OF_ENCODER[name]
    return family, family.variants[name]


def encoder_config(name: str, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - each family has its own class
    """Make the configuration of an encoder.

    Args:
        name: Name of the encoder.
        options: Fields that differ from those of the published size.

    Returns:
        An instance of the family's configuration class.

    Raises:
        OptionError: If the name or an option is unknown, or a value is not allowed.
    """
    family, variant = find_encoder(name)
    return config_from_options(family.config, {**variant.options, **options})


def official_options(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the arguments of an official constructor into options of an encoder.

    Args:
        name: Name of an encoder of the family.
        arguments: Keyword arguments, as the official configuration files hold them.

    Returns:
        Every option of the same network, for ``create_encoder`` and ``create_classifier``.

    Raises:
        OptionError: If the encoder has no official code, or an argument is unknown.

    Example:
        >>> official_options("vssd_tiny", {"d_state": 8, "depths": [2, 2, 8, 4]})["d_state"]
        8
    """
    family, _ = find_encoder(name)
    if family.config_from_official is None:
        message = f"no official code of {family.name} is released"
        raise OptionError(message)
    return asdict(family.config_from_official(arguments))


def create_encoder(
    name: str,
    *,
    in_channels: int = 3,
    weights: Weights | None = None,
    **options: Any,  # noqa: ANN401 - options of any network
) -> Encoder:
    """Build an encoder: an image in, feature maps out.

    Args:
        name: Name of the encoder, see ``list_encoders``.
        in_channels: Bands C of the image, at least 1. Official weights for three bands are
            spread over another number: band i takes those of band i mod 3, scaled by 3 / C.
        weights: Checkpoint of the official repository, of the classifier or a dense backbone: a
            ``.pth`` or ``.safetensors`` file, or its tensors by name. None starts afresh.
        **options: Fields of the family's configuration, for example ``d_state=8``.

    Returns:
        A module that maps (B, C, H, W), any H and W, to a list of maps, with ``out_channels`` and
        ``strides``.

    Raises:
        OptionError: If the name or an option is unknown, or a value is not allowed.
        ModelFileError: If the weights cannot be read or do not fit; every such key is named.

    Example:
        >>> create_encoder("vmamba_tiny_s1l8").strides
        (4, 8, 16, 32)
    """
    family, _ = find_encoder(name)
    _check_bands(in_channels)
    encoder = family.make_encoder(encoder_config(name, options), in_channels=in_channels)
    _load(encoder, weights, family=family, part="encoder")
    return encoder


def create_classifier(
    name: str,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    weights: Weights | None = None,
    **options: Any,  # noqa: ANN401 - options of any network
) -> nn.Module:
    """Build an image classifier, as which the official weights are released.

    Args:
        name: Name of the encoder, see ``list_encoders``.
        num_classes: Number of classes, at least 1.
        in_channels: Bands C of the image, as for ``create_encoder``.
        weights: Official checkpoint, as for ``create_encoder``.
        **options: Fields of the family's configuration.

    Returns:
        A module that maps an image (B, C, H, W) to logits (B, num_classes).

    Raises:
        OptionError: If the name or an option is unknown, or a value is not allowed.
        ModelFileError: If the weights cannot be read or do not fit; every such key is named.
    """
    family, _ = find_encoder(name)
    _check_bands(in_channels)
    if num_classes < 1:
        message = f"num_classes is {num_classes}; give 1 or more"
        raise OptionError(message)
    classifier = family.make_classifier(
        encoder_config(name, options), in_channels=in_channels, num_classes=num_classes
    )
    _load(classifier, weights, family=family, part="classifier")
    return classifier


def _check_bands(in_channels: int) -> None:
    if in_channels < 1:
        message = f"in_channels is {in_channels}; give 1 or more"
        raise OptionError(message)


def _load(module: nn.Module, weights: Weights | None, *, family: Family, part: Part) -> None:
    if weights is None:
        return
    state = weights if isinstance(weights, Mapping) else read_checkpoint(weights)
    load_official(module, state, family=family, part=part)
