"""The segmentation networks by name.

A name is either a network of its own ("cvmh_unet") or an encoder and a decoder joined by a plus
("vssd_tiny+unet").
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from rsmamba.errors import OptionError
from rsmamba.models import segmenter
from rsmamba.models.cvmh_unet import INPUT_MULTIPLE, CVMHUNet, CVMHUNetConfig
from rsmamba.models.decoders import DECODERS
from rsmamba.models.options import closest, config_from_options
from rsmamba.models.zoo import encoder_config, find_encoder, list_encoders


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """Facts about a network.

    Attributes:
        summary: One line on what it is.
        paper: Where it is described.
        input_multiple: Number that the network pads the sides of its input to.
        defaults: Options that differ from those of the configuration class.
    """

    summary: str
    paper: str
    input_multiple: int
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What ``create_model`` needs to build a network again.

    Attributes:
        name: Name in the registry.
        options: Every option of the network, as plain values.
    """

    name: str
    options: Mapping[str, Any]


_CVMH_PAPER = "arXiv 2410.05624"

MODELS: dict[str, ModelEntry] = {
    "cvmh_unet": ModelEntry(
        summary="CVMH-UNet as published: CS2D scans, DCT fusion, 36.2 M parameters",
        paper=_CVMH_PAPER,
        input_multiple=INPUT_MULTIPLE,
        defaults={},
    ),
    "cvmh_unet_small": ModelEntry(
        summary="CVMH-UNet at a quarter of the width, 2.5 M parameters, bundled",
        paper=_CVMH_PAPER,
        input_multiple=INPUT_MULTIPLE,
        # Pooled fusion gives one answer for chips and for larger tiles; half the states halve the
        # scan's time at this width; roads and roofs a few pixels wide need details.
        defaults={
            "dim": 24,
            "d_state": 8,
            "detail": 12,
            "drop_path": 0.1,
            "dct_size": "published",
        },
    ),
}

# Options that came after the first model files, with what a file without them means.
OPTIONS_OF_OLD_FILES: Mapping[str, Mapping[str, Any]] = {"cvmh_unet_small": {"detail": 0}}


def list_models() -> list[str]:
    """Return the names that ``create_model`` knows, sorted.

    Returns:
        The networks of their own, then every encoder with every decoder.

    Example:
        >>> {"cvmh_unet", "vssd_tiny+unet"} <= set(list_models())
        True
    """
    return sorted(MODELS) + [
        f"{encoder}+{decoder}" for encoder in list_encoders() for decoder in sorted(DECODERS)
    ]


def model_entry(name: str) -> ModelEntry:
    """Return the facts about a network.

    Args:
        name: Name in the registry.

    Returns:
        Its entry.

    Raises:
        OptionError: If there is no such network; the text lists the names.
    """
    if name in MODELS:
        return MODELS[name]
    encoder, decoder = _parts(name)
    _, variant = find_encoder(encoder)
    return ModelEntry(
        summary=f"{variant.summary}; {DECODERS[decoder].summary}",
        paper=variant.paper,
        input_multiple=segmenter.INPUT_MULTIPLE,
        defaults={},
    )


def create_model(name: str, *, num_classes: int, in_channels: int = 3, **options: Any) -> nn.Module:  # noqa: ANN401 - options of any network
    """Build a segmentation network with fresh weights.

    Args:
        name: Name in the registry, see ``list_models``: "cvmh_unet", or an encoder and a decoder
            as in "vssd_tiny+unet".
        num_classes: Channels K of the logits, at least 1.
        in_channels: Bands C of the image, at least 1.
        **options: Options of the network's configuration, for example ``d_state=8``. A network
            of encoder and decoder takes ``encoder={...}`` and ``decoder={...}``; ``pruning={...}``
            of an encoder that can drop tokens may stand beside them.

    Returns:
        A module that maps an image (B, C, H, W), any H and W, to logits (B, K, H, W).

    Raises:
        OptionError: If the name or an option is unknown, or a value is not allowed.

    Example:
        >>> model = create_model("cvmh_unet_small", num_classes=5)
        >>> sum(parameter.numel() for parameter in model.parameters())
        2504555
    """
    if num_classes < 1 or in_channels < 1:
        message = f"num_classes {num_classes} and in_channels {in_channels} must be at least 1"
        raise OptionError(message)
    config = _configuration(name, options)
    if isinstance(config, CVMHUNetConfig):
        return CVMHUNet(num_classes=num_classes, in_channels=in_channels, config=config)
    encoder_name, decoder_name = _parts(name)
    family, _ = find_encoder(encoder_name)
    encoder = family.make_encoder(config.encoder, in_channels=in_channels)
    entry = DECODERS[decoder_name]
    decoder = entry.make(
        encoder.out_channels,
        encoder.strides,
        num_classes=num_classes,
        config=config.decoder,
        **({"image_channels": in_channels} if entry.sees_image else {}),
    )
    return segmenter.Segmenter(encoder, decoder)


def describe_architecture(name: str, **options: Any) -> Architecture:  # noqa: ANN401 - options of any network
    """Spell out every option of a network, so that a model file outlives a change of defaults.

    Args:
        name: Name in the registry.
        **options: The options that differ from the defaults of that name.

    Returns:
        The name and all its options.

    Raises:
        OptionError: If the name or an option is unknown, or a value is not allowed.
    """
    # Through JSON, so that an architecture equals the one read back from its file.
    plain = json.loads(json.dumps(asdict(_configuration(name, options))))
    return Architecture(name=name, options=plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SegmenterConfig:
    """Configurations of an encoder and a decoder, each of its own class."""

    encoder: Any
    decoder: Any


def _configuration(name: str, options: Mapping[str, Any]) -> CVMHUNetConfig | _SegmenterConfig:
    if name in MODELS:
        return config_from_options(CVMHUNetConfig, {**MODELS[name].defaults, **options})
    encoder, decoder = _parts(name)
    unknown = sorted(set(options) - {"encoder", "decoder", "pruning"})
    if unknown:
        message = (
            f"unknown option {unknown[0]!r} of {name}; give options of its parts as "
            "encoder={...} and decoder={...}"
        )
        raise OptionError(message)
    return _SegmenterConfig(
        encoder=encoder_config(encoder, _encoder_options(encoder, options)),
        decoder=config_from_options(DECODERS[decoder].config, options.get("decoder", {})),
    )


def _encoder_options(encoder: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Collect the options of the encoder, with a pruning that stands beside them."""
    own = options.get("encoder", {})
    if options.get("pruning") is None:
        return own
    if own.get("pruning") is not None:
        message = f"the pruning of {encoder} is given twice; leave it out of encoder={{...}}"
        raise OptionError(message)
    return {**own, "pruning": options["pruning"]}


def _parts(name: str) -> tuple[str, str]:
    """Split the name of an encoder and a decoder, both known."""
    encoder, plus, decoder = name.partition("+")
    if not plus and encoder in list_encoders():
        message = f"{name} is an encoder; add a decoder: {name}+{', +'.join(sorted(DECODERS))}"
        raise OptionError(message)
    if not plus:
        message = (
            f"no network is called {name!r}{closest(name, [*MODELS, *list_encoders()])}; the "
            f"networks are {', '.join(sorted(MODELS))}, and ENCODER+DECODER with the encoders "
            f"{', '.join(list_encoders())} and the decoders {', '.join(sorted(DECODERS))}"
        )
        raise OptionError(message)
    find_encoder(encoder)
    if decoder not in DECODERS:
        message = (
            f"no decoder is called {decoder!r}{closest(decoder, DECODERS)}; "
            f"the decoders are {', '.join(sorted(DECODERS))}"
        )
        raise OptionError(message)
    return encoder, decoder
