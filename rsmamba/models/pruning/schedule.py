"""How many tokens are left where, and which keep ratio saves a wanted share of the work."""

import math
from collections.abc import Callable, Sequence

from rsmamba.errors import OptionError
from rsmamba.models.pruning.config import PruningConfig

# Keeps 0.1 * 30 at 3, which binary numbers round up.
_DECIMALS = 9
_HALVINGS = 40


def num_kept(patches: int, ratio: float, *, class_tokens: int = 0) -> int:
    """Return how many patches are kept.

    With one class token the released rule of ViM holds: the number of tokens stays odd, so that
    197 tokens at ratio 0.8 become 157, 125 and 101.

    Args:
        patches: Patches before, at least 1.
        ratio: Share to keep.
        class_tokens: Class tokens among the patches, all of which stay.

    Returns:
        Number of patches, at least 1; without class token ceil(ratio * patches).

    Example:
        >>> num_kept(196, 0.8, class_tokens=1), num_kept(196, 0.6)
        (156, 118)
    """
    if ratio == 1:
        return patches
    kept = math.ceil(round(ratio * patches, _DECIMALS))
    if class_tokens == 1:
        kept -= kept % 2
    return max(1, kept)


def tokens_entering(
    config: PruningConfig, *, depth: int, patches: int, class_tokens: int = 0
) -> list[int]:
    """Return the number of tokens that enter each block, class tokens included.

    Args:
        config: Where tokens are dropped.
        depth: Number of blocks.
        patches: Patches of the image.
        class_tokens: Class tokens among them.

    Returns:
        One number a block.

    Example:
        >>> config = PruningConfig(layers=(1, 2), ratio=0.6)
        >>> tokens_entering(config, depth=4, patches=196)
        [196, 118, 71, 71]
    """
    counts = []
    for block in range(depth):
        if block in config.layers:
            patches = num_kept(patches, config.ratio, class_tokens=class_tokens)
        counts.append(patches + class_tokens)
    return counts


def solve_ratio(cost: Callable[[float], float], *, reduction: float) -> float:
    """Find the keep ratio that saves a share of the work.

    Args:
        cost: Work at a keep ratio, such as multiply-adds; must not fall as the ratio rises.
        reduction: Share of the work at ratio 1 that is to be saved, at least 0 and below 1.

    Returns:
        The largest keep ratio that saves as much, to within 1e-6.

    Raises:
        OptionError: If no ratio saves as much.

    Example:
        >>> round(solve_ratio(lambda ratio: 1 + 3 * ratio, reduction=0.3), 4)
        0.6
    """
    dense, least = cost(1.0), cost(1e-6)
    most = 1 - least / dense
    if not 0 <= reduction < 1 or reduction > most:
        message = (
            f"pruning cannot save {reduction:.1%} of the work here; give a share from 0 to "
            f"{most:.4f}, or drop tokens after earlier layers"
        )
        raise OptionError(message)
    if reduction == 0:
        return 1.0
    low, high = 1e-6, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if cost(middle) <= (1 - reduction) * dense:
            low = middle
        else:
            high = middle
    return low


def evenly_spaced(depth: int, *, steps: int = 3) -> tuple[int, ...]:
    """Spread pruning steps over a network whose own schedule is not known.

    Args:
        depth: Number of blocks, at least 2.
        steps: How often tokens are dropped.

    Returns:
        Layers at equal distances, as 5, 10 and 15 are nearly in ViM-Small.

    Example:
        >>> evenly_spaced(24)
        (6, 12, 18)
    """
    layers: Sequence[int] = [round(depth * step / (steps + 1)) for step in range(1, steps + 1)]
    return tuple(sorted({layer for layer in layers if 1 <= layer < depth}))
