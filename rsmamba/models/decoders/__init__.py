"""Decoders: from the feature maps of an encoder to logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rsmamba.models.decoders.base import Decoder
from rsmamba.models.decoders.light import LightConfig, LightDecoder
from rsmamba.models.decoders.unet import UNetConfig, UNetDecoder
from rsmamba.models.decoders.upernet import UPerNetConfig, UPerNetDecoder

__all__ = ["DECODERS", "Decoder", "DecoderEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderEntry:
    """Facts about a decoder.

    Attributes:
        summary: One line on what it is.
        config: Configuration dataclass.
        make: Builds it from the channels and strides of an encoder.
        sees_image: Whether it may look at the pixels too, and is built with their channels.
    """

    summary: str
    config: type[Any]
    make: Callable[..., Decoder]
    sees_image: bool = False


DECODERS: dict[str, DecoderEntry] = {
    "unet": DecoderEntry(
        summary="CVMH-UNet's decoder with multi-frequency (DCT) fusion of the skips",
        config=UNetConfig,
        make=UNetDecoder,
        sees_image=True,
    ),
    "upernet": DecoderEntry(
        summary="UPerNet: pyramid pooling and a feature pyramid (arXiv 1807.10221)",
        config=UPerNetConfig,
        make=UPerNetDecoder,
    ),
    "light": DecoderEntry(
        summary="linear layers to one width, summed at the finest map, as in SegFormer",
        config=LightConfig,
        make=LightDecoder,
    ),
}
