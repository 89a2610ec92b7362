"""What every decoder has in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn
from typing_extensions import override


class Decoder(nn.Module, ABC):
    """Network that turns the feature maps of an encoder into logits of the image's size."""

    @override
    @abstractmethod
    def forward(self, maps: Sequence[Tensor], image: Tensor) -> Tensor:
        """Score every pixel.

        Args:
            maps: Maps (B, C_i, H_i, W_i) of an encoder, from fine to coarse.
            image: The image (B, C, H, W) that they come from.

        Returns:
            Logits (B, K, H, W).
        """
