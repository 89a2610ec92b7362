"""What ViM's two scans need to know of the tokens that are left of a sequence."""

from dataclasses import dataclass

from torch import Tensor

from rsmamba.models.pruning.tokens import KeptTokens, gaps_between
from rsmamba.ops.gapped_scan import Alignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Dropped tokens before each kept one, made once for each pruning step.

    Attributes:
        forwards: In the order of the sequence, float32 (B, n).
        backwards: In the reversed order, (B, n).
        alignment: What dropped tokens do to the states.
    """

    forwards: Tensor
    backwards: Tensor
    alignment: Alignment


def gaps_of(kept: KeptTokens, *, alignment: Alignment) -> Gaps:
    """Make the gaps of both scans.

    Args:
        kept: The kept tokens.
        alignment: What dropped tokens do to the states.

    Returns:
        The gaps.
    """
    return Gaps(
        forwards=gaps_between(kept.index),
        backwards=gaps_between(kept.flipped().index),
        alignment=alignment,
    )
