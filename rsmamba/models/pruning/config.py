"""The options of token pruning: what is dropped and where, or what is not fed forward."""

from dataclasses import dataclass
from typing import Literal

from rsmamba.errors import OptionError
from rsmamba.ops.gapped_scan import Alignment

Score = Literal["clip", "l1", "l2", "sum"]
ScoreSource = Literal["sum", "fwd", "bwd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningConfig:
    """After some blocks, keep the best share of the tokens of each image.

    Source: token pruning for vision state-space models (arXiv 2409.18962).

    Attributes:
        layers: Number of blocks after which tokens are dropped, counted from 1, rising.
        ratio: Share of the tokens kept each time, above 0 and at most 1; 1 drops nothing.
        alignment: What dropped tokens do to the state that passes over their places: "none" is
            nothing; "zero_input" lets the time of a token that is zero pass, "prev_delta" and
            "next_delta" the time of the kept token before or after.
        score: What makes a token important, over the channels of what the block's scans put out:
            the mean of the positive part ("clip"), the "l1" or "l2" norm, or the plain "sum".
        score_source: Scans that are scored: all added up ("sum"), or only those forwards ("fwd")
            or backwards ("bwd"), which ViM alone tells apart.
        gated: Score what has passed the gate.
    """

    layers: tuple[int, ...] = ()
    ratio: float = 0.8
    alignment: Alignment = "zero_input"
    score: Score = "clip"
    score_source: ScoreSource = "sum"
    gated: bool = False

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            OptionError: If the ratio is out of range, or the layers do not rise from 1.
        """
        _check_ratio(self.ratio)
        layers = tuple(self.layers)
        if not layers or layers[0] < 1 or layers != tuple(sorted(set(layers))):
            message = (
                f"tokens are dropped after layers {layers}; give numbers of blocks from 1, "
                "rising, such as (5, 10, 15)"
            )
            raise OptionError(message)

    def describe(self) -> str:
        """Say what is kept and where.

        Returns:
            A phrase.

        Example:
            >>> PruningConfig(layers=(5, 10), ratio=0.8).describe()
            'keeps 0.8 of the tokens after layers 5, 10'
        """
        layers = ", ".join(str(layer) for layer in self.layers)
        return f"keeps {self.ratio:.4g} of the tokens after layers {layers}"

    def check_depth(self, depth: int) -> None:
        """Check that every layer is followed by another one.

        Args:
            depth: Number of blocks of the network.

        Raises:
            OptionError: If tokens were dropped after the last block or later.
        """
        if self.layers[-1] >= depth:
            message = (
                f"tokens are dropped after layer {self.layers[-1]}, but the network has {depth}; "
                f"give layers from 1 to {depth - 1}"
            )
            raise OptionError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForwardPruning:
    """Mix all tokens, but give the feed-forward part of a block only those that were changed most.

    For encoders with several resolutions, whose convolutions and scans need whole maps; our own, no
    paper describes it. Every block chooses anew, so that a token is never lost.

    Attributes:
        ratio: Share of the tokens that are fed forward, above 0 and at most 1; 1 is all.
        score: How much a token was changed, over the channels of what the mixer adds to it, see
            `PruningConfig`.
    """

    ratio: float = 0.5
    score: Score = "l1"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            OptionError: If the ratio is out of range.
        """
        _check_ratio(self.ratio)

    def describe(self) -> str:
        """Say what is fed forward.

        Returns:
            A phrase.

        Example:
            >>> FeedForwardPruning().describe()
            'feeds 0.5 of the tokens of every block forward'
        """
        return f"feeds {self.ratio:.4g} of the tokens of every block forward"


Pruning = PruningConfig | FeedForwardPruning


def _check_ratio(ratio: float) -> None:
    """Refuse a keep ratio that is out of range."""
    if not 0 < ratio <= 1:
        message = f"the keep ratio is {ratio}; give a number above 0 and at most 1"
        raise OptionError(message)
