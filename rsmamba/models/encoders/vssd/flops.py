"""Multiply-adds of VSSD by the rule behind the published figures.

The published figures come from fvcore: multiply-adds of convolutions, linear layers and matrix
products, 2 operations an element for batch normalisation and 5 for LayerNorm, nothing for biases,
activations, softmax and sums. Its rule for matrix products looks at the first factor only; B and C,
which all heads of a group share, are that factor in the non-causal mixer, so that one head of each
group is counted instead of all. A causal scan counts nothing.
"""

from rsmamba.models.encoders.vssd.config import Config
from rsmamba.models.encoders.vssd.stem import PATCH

BATCH_NORM, LAYER_NORM = 2, 5  # operations an element


def paper_flops(
    config: Config, *, height: int, width: int, num_classes: int, in_channels: int = 3
) -> float:
    """Count the multiply-adds of the classifier for one image, as the paper does.

    Args:
        config: Choices of the network.
        height: Rows of the image.
        width: Columns of the image.
        num_classes: Number of classes.
        in_channels: Channels of the image.

    Returns:
        Multiply-adds; 1e9 of them are the paper's GFLOPs.
    """
    total = _stem(config, height, width, in_channels=in_channels)
    size = _size_behind_stem(config, height, width)
    last = len(config.depths) - 1
    for stage, depth in enumerate(config.depths):
        total += depth * _block(config, stage=stage, tokens=size[0] * size[1])
        if stage < last:
            total += _downsample(config, config.dims[stage], size)
            size = _halved(*size)
    tokens, dim = size[0] * size[1], config.dims[-1]
    return float(total + LAYER_NORM * tokens * dim + dim * num_classes)


def _halved(height: int, width: int) -> tuple[int, int]:
    return -(-height // 2), -(-width // 2)


def _size_behind_stem(config: Config, height: int, width: int) -> tuple[int, int]:
    if config.simple_patch_embed:
        return max(1, height // PATCH), max(1, width // PATCH)
    return _halved(*_halved(height, width))


def _conv(pixels: int, into: int, out: int, *, kernel: int, norm: int = BATCH_NORM) -> int:
    """Count a convolution with `pixels` results and the normalisation behind it."""
    return pixels * out * (into * kernel**2 + norm)


def _stem(config: Config, height: int, width: int, *, in_channels: int) -> int:
    dim, half = config.embed_dim, config.embed_dim // 2
    rows, cols = _size_behind_stem(config, height, width)
    fine_rows, fine_cols = _halved(height, width)
    fine, coarse = fine_rows * fine_cols, rows * cols
    if config.simple_patch_embed:
        return _conv(coarse, in_channels, dim, kernel=PATCH) + coarse * dim * LAYER_NORM
    first = _conv(fine, in_channels, half, kernel=3) + _conv(fine, half, half, kernel=3)
    if config.edition == "iccv":
        return first + _conv(coarse, half, dim, kernel=3) + _conv(coarse, dim, dim, kernel=3)
    bottleneck = _conv(coarse, half, 4 * dim, kernel=3) + _conv(coarse, 4 * dim, dim, kernel=1)
    return first + _conv(fine, half, half, kernel=3) + bottleneck


def _downsample(config: Config, dim: int, size: tuple[int, int]) -> int:
    rows, cols = _halved(*size)
    coarse, fine = rows * cols, size[0] * size[1]
    if config.simple_downsample:
        return _conv(coarse, dim, 2 * dim, kernel=3, norm=LAYER_NORM)
    if config.edition == "iccv":
        return _conv(coarse, dim, 2 * dim, kernel=3)
    hidden = 8 * dim
    depthwise = _conv(coarse, 1, hidden, kernel=3, norm=0)
    widen = _conv(fine, dim, hidden, kernel=1, norm=0)
    return widen + depthwise + _conv(coarse, hidden, 2 * dim, kernel=1)


def _block(config: Config, *, stage: int, tokens: int) -> int:
    dim = config.dims[stage]
    if config.attn_types[stage] == "standard":
        inner = dim // config.num_heads[stage] * config.num_heads[stage]
        mixer = 4 * tokens * dim * inner + 2 * tokens**2 * inner
    else:
        mixer = _ssd_mixer(config, stage=stage, tokens=tokens)
    local = 2 * _conv(tokens, 1, dim, kernel=3, norm=0)
    return local + mixer + tokens * dim * (2 * LAYER_NORM + 2 * int(dim * config.mlp_ratio))


def _ssd_mixer(config: Config, *, stage: int, tokens: int) -> int:
    dim, states, groups = config.dims[stage], config.states[stage], config.groups(stage)
    inner = dim * config.ssd_expansion
    convolved = inner + 2 * groups * states
    projections = dim * (inner + convolved + config.ssd_heads(stage)) + inner * dim
    if config.edition == "iccv":
        # Its keys have an axis of heads, its queries have none: the product that makes the states
        # is counted whole, the one that reads them and the normaliser for one head.
        products = states * (inner + config.head_width(stage) + 1)
    elif config.linear_attn_duality:
        products = 2 * groups * states * config.head_width(stage)
    else:
        products = 0
    return tokens * (projections + 9 * convolved + products + LAYER_NORM * inner)
