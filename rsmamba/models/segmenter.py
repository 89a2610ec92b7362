"""A segmentation network of any encoder and any decoder."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.decoders.base import Decoder
from rsmamba.models.encoders.base import Encoder


class Segmenter(nn.Module):
    """Encoder and decoder, one behind the other.

    Args:
        encoder: Turns the image into maps.
        decoder: Turns the maps into logits.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map a normalised image (B, C, H, W), any H and W, to logits (B, K, H, W)."""
        height, width = image.shape[-2:]
        logits: torch.Tensor = self.decoder(self.encoder(image), (height, width))
        return logits
