"""Feed-forward parts that see the most important tokens of a map only.

Symbols: B batch, H rows, W columns, L = H W, n chosen tokens of each image, C channels.
"""

from collections.abc import Callable

from torch import Tensor, nn

from rsmamba.models.pruning.config import FeedForwardPruning, Pruning
from rsmamba.models.pruning.schedule import num_kept
from rsmamba.models.pruning.tokens import KeptTokens, importance, select


def fed_forward(
    features: Tensor,
    mixed: Tensor,
    *,
    pruning: FeedForwardPruning | None,
    everywhere: Callable[[Tensor], Tensor],
    chosen: Callable[[Tensor, KeptTokens], Tensor] | None = None,
) -> Tensor:
    """Add the feed-forward branch of a block, at all tokens or at the most important ones.

    Args:
        features: Map with the mixer's branch added, (B, H, W, C).
        mixed: That branch, by which tokens are chosen, (B, H, W, C).
        pruning: How many tokens are chosen; None for all.
        everywhere: The branch, of a map (B, H, W, C) or tokens (B, n, C).
        chosen: The branch of tokens (B, n, C) with their places, where it looks at neighbours.

    Returns:
        The map, (B, H, W, C).
    """
    _, height, width, _ = features.shape
    keep = height * width if pruning is None else num_kept(height * width, pruning.ratio)
    if pruning is None or keep == height * width:
        return features + everywhere(features)
    scores = importance(mixed.flatten(1, 2), pruning.score)
    kept = select(scores, None, keep=keep).kept
    full = features.flatten(1, 2)
    tokens = kept.of(full)
    fed = everywhere(tokens) if chosen is None else chosen(tokens, kept)
    return kept.put_into(full, tokens + fed).view_as(features)


def prunable_parts(network: nn.Module) -> list[nn.Module]:
    """Find the parts of a network that can drop tokens or leave them out.

    Args:
        network: Any network.

    Returns:
        The modules with a ``pruning``.
    """
    return [module for module in network.modules() if hasattr(module, "pruning")]


def assign_pruning(network: nn.Module, pruning: Pruning | None) -> None:
    """Let a network leave tokens out from now on.

    Args:
        network: A network, changed in place.
        pruning: Which tokens; None for none.
    """
    for module in prunable_parts(network):
        # Past torch's own setter, which is typed for tensors and modules.
        object.__setattr__(module, "pruning", pruning)
