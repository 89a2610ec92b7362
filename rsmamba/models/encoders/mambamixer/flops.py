"""What a ViM2 classifier costs, counted as VMamba's authors count scans.

Source: the paper (arXiv 2403.19888) prints no figure. VMamba's published code counts 9 L E N for a
scan of L tokens, E channels and N states, and L E for its skip; here everything else that
multiplies is added. At 224x224 that gives 5.2, 11.2 and 18.0 G for the three sizes.
"""

import math

from rsmamba.models.encoders.mambamixer.config import PATCH, Config


def paper_flops(
    config: Config, *, height: int, width: int, num_classes: int, in_channels: int = 3
) -> float:
    """Count the multiply-adds of the classifier, 9 L E N for a scan.

    Args:
        config: Choices of the network.
        height: Rows of the image.
        width: Columns of the image.
        num_classes: Channels of the logits.
        in_channels: Bands of the image.

    Returns:
        Multiply-adds for one image.

    Example:
        >>> round(paper_flops(Config(), height=224, width=224, num_classes=1000) / 1e9, 2)
        5.23
    """
    sides = config.sides(height=height, width=width)
    total = math.prod(sides[0]) * PATCH**2 * in_channels * config.embed_dim
    for stage, dim in enumerate(config.dims):
        pixels = math.prod(sides[stage])
        token = config.token_depths[stage] * _token_mixer(config, dim=dim)
        channel = config.channel_depths[stage] * _channel_mixer(config, stage=stage, pixels=pixels)
        merging = 2 * dim * dim if stage else 0  # from 4 pixels of half the channels
        total += pixels * (token + channel + merging)
    return float(total + config.dims[-1] * num_classes)


def _token_mixer(config: Config, *, dim: int) -> int:
    """Count a token mixer for one pixel: projections, 3x3 convolution, four scans."""
    token = config.token
    inner = int(token.ssm_ratio * dim)
    rank = math.ceil(dim / 16) if token.dt_rank is None else token.dt_rank
    linear = dim * inner * (2 if token.gate == "none" else 3)
    scan = _scan(inner, rank=rank, states=token.d_state)
    return linear + 9 * inner + 4 * scan


def _channel_mixer(config: Config, *, stage: int, pixels: int) -> int:
    """Count a channel mixer for one pixel: projections, convolutions, scans along the width."""
    channel = config.channel
    dim, width = config.dims[stage], config.widths[stage]
    linear = dim * width * (2 if channel.gate == "none" else 3)
    directions = 2 if channel.bidirectional else 1
    if channel.features == "scalar":
        # Step size, B and C are one product each with the step's single number.
        scan = width * (9 * channel.d_state + 1 + 2 * channel.d_state + 1)
    else:
        features = channel.group_size if channel.features == "groups" else pixels
        rank = math.ceil(features / 16)
        scan = width * _scan(features, rank=rank, states=channel.d_state) // features
    return linear + directions * (channel.kernel * width + scan)


def _scan(features: int, *, rank: int, states: int) -> int:
    """Count one step of a scan: its projections, 9 E N, and the skip."""
    return features * (2 * rank + 2 * states + 9 * states + 1)
