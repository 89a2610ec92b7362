"""What a GroupMamba classifier costs by the rule that comes closest to the paper's figures.

Source: the paper (arXiv 2407.13772, table 1) prints 4.5, 7.0 and 14 G at 224x224, its project page
4.6 G for the tiny size; neither states a rule. Counted here are the multiply-adds of convolutions
and linear layers, which gives 4.63, 7.19 and 14.03 G. Scans, step sizes and norms are left out:
with them the figures move further away from the printed ones.
"""

from rsmamba.models.encoders.groupmamba.config import REDUCTION, Config

KERNEL = 3 * 3


def paper_flops(
    config: Config, *, height: int, width: int, num_classes: int, in_channels: int = 3
) -> float:
    """Count the multiply-adds of convolutions and linear layers of the classifier.

    Args:
        config: Size of the network.
        height: Rows of the image.
        width: Columns of the image.
        num_classes: Channels of the logits.
        in_channels: Bands of the image.

    Returns:
        Multiply-adds for one image.

    Example:
        >>> round(paper_flops(Config(), height=224, width=224, num_classes=1000) / 1e9, 2)
        4.63
    """
    height, width = _halved(height, width)
    stem = config.stem_hidden_dim
    total = height * width * stem * (7 * 7 * in_channels + 2 * KERNEL * stem)
    before = stem
    for dim, depth, hidden in zip(
        config.embed_dims, config.depths, config.hidden_dims, strict=True
    ):
        height, width = _halved(height, width)
        total += height * width * KERNEL * before * dim
        mlp = height * width * hidden * (2 * dim + KERNEL)
        total += depth * (_mixer(dim, pixels=height * width) + mlp)
        before = dim
    heads = 2 if config.distillation else 1
    class_mlp = 2 * before * config.hidden_dims[-1]
    return float(total + _mixer(before, pixels=1) + class_mlp + heads * before * num_classes)


def _mixer(dim: int, *, pixels: int) -> int:
    """Count the three projections, the depth-wise convolution and the channel affinity."""
    grouped = 3 * dim * dim // 4  # dim to 2 dim and back, each within a quarter of the channels
    return pixels * (grouped + KERNEL * dim + dim * dim) + 2 * dim * (dim // REDUCTION)


def _halved(height: int, width: int) -> tuple[int, int]:
    return -(-height // 2), -(-width // 2)
