"""What ViM's two scans need to know of the tokens that are left of a sequence."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rsmamba.models.pruning.tokens import KeptTokens, gaps_between
from rsmamba.ops.gapped_scan import Alignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Dropped tokens before each kept one, made once for each pruning step.

    Attributes:
        before: In the order of the sequence and in the reversed one, float32 (B, 2, n).
        alignment: What dropped tokens do to the states.
    """

    before: Tensor
    alignment: Alignment


def gaps_of(kept: KeptTokens, *, alignment: Alignment) -> Gaps:
    """Make the gaps of both scans.

    Args:
        kept: The kept tokens.
        alignment: What dropped tokens do to the states.

    Returns:
        The gaps.
    """
    orders = torch.stack([kept.index, kept.flipped().index], dim=1)
    return Gaps(before=gaps_between(orders), alignment=alignment)
