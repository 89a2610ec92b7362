"""Size of a GroupMamba network."""

from dataclasses import dataclass

from rsmamba.errors import OptionError
from rsmamba.models.pruning.config import FeedForwardPruning

GROUPS = 4
"""Quarters of the channels, each with a scan direction of its own."""
REDUCTION = 16
"""Divisor of the channels inside the channel affinity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size and choices of the network; the defaults are GroupMamba-tiny.

    Attributes:
        stem_hidden_dim: Channels of the first three convolutions.
        embed_dims: Channels of each stage.
        depths: Blocks of each stage.
        mlp_ratios: Hidden channels of each stage's feed-forward part as a multiple of its channels.
        drop_path: Drop rate of the last block; rates rise linearly from 0.
        distillation: Give the classifier a second head that learns from a teacher.
        norm_eps: Added to the variance by the norms of blocks, stages and heads; the norms inside
            the mixer and behind patch embeddings always add 1e-5.
        pruning: Which tokens the feed-forward parts see; None for all.
    """

    stem_hidden_dim: int = 32
    embed_dims: tuple[int, ...] = (64, 128, 348, 448)
    depths: tuple[int, ...] = (3, 4, 9, 3)
    mlp_ratios: tuple[float, ...] = (8, 8, 4, 4)
    drop_path: float = 0.05
    distillation: bool = True
    norm_eps: float = 1e-6
    pruning: FeedForwardPruning | None = None

    @property
    def hidden_dims(self) -> tuple[int, ...]:
        """Hidden channels of the feed-forward part of each stage."""
        sizes = zip(self.embed_dims, self.mlp_ratios, strict=True)
        return tuple(int(dim * ratio) for dim, ratio in sizes)

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If the stages do not agree or a width cannot be split into groups.
        """
        if not len(self.embed_dims) == len(self.depths) == len(self.mlp_ratios) >= 1:
            message = (
                f"embed_dims {self.embed_dims}, depths {self.depths} and mlp_ratios "
                f"{self.mlp_ratios} must have one number for each stage"
            )
            raise OptionError(message)
        if any(dim < REDUCTION or dim % GROUPS for dim in self.embed_dims):
            message = (
                f"embed_dims {self.embed_dims} must be multiples of {GROUPS}, the number of "
                f"groups, and at least {REDUCTION}"
            )
            raise OptionError(message)
        if min(self.depths) < 1 or self.stem_hidden_dim < 1:
            message = (
                f"depths {self.depths} and stem_hidden_dim {self.stem_hidden_dim} must be 1 or more"
            )
            raise OptionError(message)
        if min(self.hidden_dims) < 1:
            message = f"mlp_ratios {self.mlp_ratios} leave a feed-forward part without channels"
            raise OptionError(message)
