"""What every encoder of the zoo has in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from typing_extensions import override


class Encoder(nn.Module, ABC):
    """Network that turns an image into feature maps.

    Attributes:
        out_channels: Channels of each map.
        strides: Image pixels per map pixel of each map, in the order of the maps.
    """

    out_channels: tuple[int, ...]
    strides: tuple[int, ...]

    @override
    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the feature maps.

        Args:
            image: Normalised image (B, C, H, W), any H and W.

        Returns:
            One map (B, out_channels[i], H_i, W_i) for each i; H_i is H / strides[i], rounded up
            or down as the official network does.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A published size of a network.

    Attributes:
        summary: One line on what it is.
        paper: Where it is described.
        weights_licence: Licence of the released weights, as their repository states it.
        options: Fields of the family's configuration that differ from its defaults.
    """

    summary: str
    paper: str
    weights_licence: str
    options: Mapping[str, Any] = field(default_factory=dict)
