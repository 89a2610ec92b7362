"""A light decoder: every map to one width, enlarged, added, and scored.

Source: the head of SegFormer (Xie et al. 2021, arXiv 2105.15203, section 3.2). There each map goes
through a linear layer, is enlarged and joined with the others, and a second linear layer follows
with nothing nonlinear in between. The two layers are one linear map of each level, and enlarging
commutes with it, so here each level has one layer at its own resolution and the results are added:
the same functions for a fraction of the arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.decoders.base import Decoder
from rsmamba.models.decoders.convolution import Norm, make_norm
from rsmamba.models.decoders.enlarging import enlarge


@dataclass(frozen=True, slots=True, kw_only=True)
class LightConfig:
    """Size and choices of the decoder.

    Attributes:
        channels: Common width of the maps.
        dropout: Probability that a channel is dropped before the last layer while training.
        norm: "batch", or "group" whose result does not depend on the batch.
    """

    channels: int = 256
    dropout: float = 0.1
    norm: Norm = "batch"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            OptionError: If the width is below 1 or the dropout no probability.
        """
        if self.channels < 1 or not 0 <= self.dropout < 1:
            message = (
                f"channels {self.channels}, dropout {self.dropout}: give 1 channel or more and a "
                "dropout from 0 up to, not including, 1"
            )
            raise OptionError(message)


class LightDecoder(Decoder):
    """Project each map, add them on the grid of the finest, normalise and score.

    Args:
        in_channels: Channels of the encoder's maps, from fine to coarse.
        strides: Image pixels per pixel of each map.
        num_classes: Channels of the logits.
        config: Size and choices; None takes the defaults.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        *,
        num_classes: int,
        config: LightConfig | None = None,
    ) -> None:
        super().__init__()
        config = LightConfig() if config is None else config
        self.strides = tuple(strides)
        # The norm's own shift stands for the biases of all levels.
        self.projections = nn.ModuleList(
            nn.Conv2d(dim, config.channels, kernel_size=1, bias=False) for dim in in_channels
        )
        self.norm = make_norm(config.channels, norm=config.norm)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout2d(config.dropout)
        self.head = nn.Conv2d(config.channels, num_classes, kernel_size=1)

    @override
    def forward(self, maps: Sequence[torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.projections[0](maps[0])
        finest = total.shape[-2:]
        for level in range(1, len(self.projections)):
            factor = self.strides[level] // self.strides[0]
            projected = self.projections[level](maps[level])
            total = total + enlarge(projected, factor=factor, size=finest)
        logits = self.head(self.dropout(self.act(self.norm(total))))
        return enlarge(logits, factor=self.strides[0], size=image.shape[-2:])
