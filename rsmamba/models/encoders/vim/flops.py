"""Multiply-adds of ViM by the counter behind the published 1.5 and 5.1 G.

Source: LocalMamba's released counter, whose figures later papers quote for ViM. It counts the
convolution and the projections of one direction only, although there are two, and 5 N + 2 for each
token, inner channel and direction of the scan.
"""

from collections.abc import Sequence

from rsmamba.models.encoders.vim.block import patches_along
from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.sequence import class_positions


def paper_flops(
    config: Config,
    *,
    height: int,
    width: int,
    num_classes: int,
    in_channels: int = 3,
    tokens: Sequence[int] | None = None,
) -> float:
    """Count the multiply-adds of the classifier by the paper's rule.

    Args:
        config: Size and choices of the network.
        height: Rows of the image.
        width: Columns of the image.
        num_classes: Channels of the logits.
        in_channels: Bands of the image.
        tokens: Tokens that enter each block, where some were dropped on the way; None means all.

    Returns:
        Multiply-adds of one image.

    Example:
        >>> round(paper_flops(Config(), height=224, width=224, num_classes=1000) / 1e9, 2)
        1.48
    """
    rows, cols = (
        patches_along(side, patch=config.patch_size, stride=config.stride)
        for side in (height, width)
    )
    patches = rows * cols
    projection = patches * in_channels * config.patch_size**2 * config.embed_dim
    everything = patches + len(class_positions(config, patches))
    entering = [everything] * config.depth if tokens is None else list(tokens)
    blocks = sum(block_flops(config, tokens=count) for count in entering)
    return float(projection + blocks + config.embed_dim * num_classes)


def block_flops(config: Config, *, tokens: int) -> int:
    """Count the multiply-adds of one block.

    Args:
        config: Size and choices of the network.
        tokens: Tokens that enter it.

    Returns:
        Multiply-adds.
    """
    dim, inner, rank, states = config.embed_dim, config.inner, config.rank, config.d_state
    directions = 1 if config.bimamba_type == "none" else 2
    linear = 2 * dim * inner + inner * (rank + 2 * states) + rank * inner + inner * dim + dim
    scans = directions * inner * (5 * states + 2)
    convolution = (tokens + config.d_conv - 1) * inner * config.d_conv
    return tokens * (linear + scans) + convolution
