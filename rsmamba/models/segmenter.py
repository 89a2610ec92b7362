"""A segmentation network of any encoder and any decoder."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models.decoders.base import Decoder
from rsmamba.models.encoders.base import Encoder
from rsmamba.models.layers.padding import pad_to_multiple

# Encoders halve the image five times at most, or cut it into patches of 16 pixels.
INPUT_MULTIPLE = 32


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
        # Some encoders drop the pixels that do not fill a last patch; none of ours may be lost.
        padded = pad_to_multiple(image, INPUT_MULTIPLE)
        logits: torch.Tensor = self.decoder(self.encoder(padded), padded)
        return logits[..., :height, :width]
