"""Multiply-adds of PlainMamba as its authors count them.

Source: the released FLOPs script, whose sums are the published 3.0, 8.1 and 14.4 G: convolutions
and linear layers without norms and biases, and 9 N + 1 for each token, inner channel and scan.
"""

from collections.abc import Sequence

from rsmamba.models.encoders.plainmamba.block import STEM_DIM
from rsmamba.models.encoders.plainmamba.config import Config
from rsmamba.models.encoders.plainmamba.mixer import DIRECTIONS


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
        3.01
    """
    dim = config.embed_dims
    rows, cols = -(-height // config.patch_size), -(-width // config.patch_size)
    half = -(-height // 2) * -(-width // 2)
    stem = half * STEM_DIM * (49 * in_channels + 9 * STEM_DIM * config.num_convs_patch_embed)
    patches = rows * cols * (config.patch_size // 2) ** 2 * STEM_DIM * dim
    entering = [rows * cols] * config.num_layers if tokens is None else list(tokens)
    convolved = sum(entering[index] for index in config.layers_with_dwconv)
    blocks = token_flops(config) * sum(entering) + 9 * dim * convolved
    return float(stem + patches + blocks + dim * num_classes)


def token_flops(config: Config) -> int:
    """Count the multiply-adds of one token in one block.

    Args:
        config: Size and choices of the network.

    Returns:
        Multiply-adds.
    """
    dim, inner, rank, states = config.embed_dims, config.inner, config.rank, config.d_state
    linear = 2 * dim * inner + inner * (rank + 2 * states) + rank * inner + inner * dim
    return linear + config.conv_size**2 * inner + DIRECTIONS * inner * (9 * states + 1)
