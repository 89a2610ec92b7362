"""Fusion of an encoder map with a decoder map of the same level.

Source: CVMH-UNet (arXiv 2410.05624 v1, section III-C, equations 5 to 10, figure 4). Its local
branch is that of AFF (Dai et al. 2021); its global branch is the multi-frequency attention of
MADGNet with the one-dimensional convolution of ECA (Wang et al. 2020). The basis images follow
FcaNet (Qin et al. 2021).

All maps are channels last, (B, H, W, C). Glossary: F encoder map, F~ decoder map, X = F + F~,
G global branch, L local branch.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import ShapeError
from rsmamba.ops.dct import TOP16_FREQUENCIES, dct_basis
from rsmamba.ops.frequency_pooling import frequency_pool

GlobalBranch = Literal["adaptive_conv", "fully_connected", "ms_cam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionConfig:
    """Choices of the fusion; the defaults are the published network.

    Attributes:
        global_branch: "adaptive_conv" pools through 16 frequencies and convolves along the
            channels; "fully_connected" has a bottleneck in place of the convolutions; "ms_cam" is
            the global branch of MS-CAM (average pooling and a bottleneck).
        share_convs: One convolution for the three poolings instead of three.
        frequency_reduction: "mean" or "sum" over the 16 frequencies.
        pooled_size: Pool X to this side before the basis images are applied, so that the answer
            does not depend on the size of the input; None applies them at the size of X.
        local_reduction: Divisor of the local bottleneck's width.
    """

    global_branch: GlobalBranch = "adaptive_conv"
    share_convs: bool = False
    frequency_reduction: Literal["mean", "sum"] = "mean"
    pooled_size: int | None = None
    local_reduction: int = 4


def adaptive_kernel(dim: int) -> int:
    """Return the length of the convolution along the channels: about log2(C) / 2, odd.

    Source: ECA (Wang et al. 2020, equation 12).

    Args:
        dim: Number of channels, at least 1.

    Returns:
        The odd kernel length.

    Example:
        >>> [adaptive_kernel(dim) for dim in (96, 192, 384, 768)]
        [3, 5, 5, 5]
    """
    length = int(abs((math.log2(dim) + 1) / 2))
    return length if length % 2 else length + 1


class MultiFrequencyPooling(nn.Module):
    """Global branch: average, maximum and minimum through 16 frequencies, mixed along channels.

    Args:
        dim: Channels of the map.
        config: Choices of the fusion.
    """

    def __init__(self, dim: int, *, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.mixers = nn.ModuleList()
        count = 3 if config.global_branch == "adaptive_conv" and not config.share_convs else 1
        for _ in range(count):
            if config.global_branch == "adaptive_conv":
                kernel = adaptive_kernel(dim)
                conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)
                self.mixers.append(nn.Sequential(nn.Unflatten(1, (1, dim)), conv, nn.Flatten()))
            else:
                hidden = max(1, dim // 16)
                self.mixers.append(
                    nn.Sequential(
                        nn.Linear(dim, hidden, bias=False),
                        nn.ReLU(),
                        nn.Linear(hidden, dim, bias=False),
                    )
                )

    @override
    def forward(self, summed: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to a score a channel, (B, 1, 1, C)."""
        side = self.config.pooled_size
        if side is not None:
            pooled = functional.adaptive_avg_pool2d(summed.permute(0, 3, 1, 2), side)
            summed = pooled.permute(0, 2, 3, 1)
        height, width = summed.shape[1:3]
        basis = dct_basis(TOP16_FREQUENCIES, height, width).flatten(1).to(summed.device)
        poolings = frequency_pool(summed.flatten(1, 2), basis)
        scale = len(basis) if self.config.frequency_reduction == "sum" else 1
        score = torch.zeros_like(poolings[0])
        for index, pooling in enumerate(poolings):
            score = score + self.mixers[index % len(self.mixers)](pooling * scale)
        return score[:, None, None, :]


class MultiScaleContext(nn.Module):
    """Bottleneck of two 1x1 convolutions with BatchNorm, of AFF's MS-CAM.

    Args:
        dim: Channels of the map.
        reduction: Divisor of the hidden width.
        pool: Average over the positions first (the global branch of MS-CAM).
    """

    def __init__(self, dim: int, *, reduction: int = 4, pool: bool = False) -> None:
        super().__init__()
        hidden = max(1, dim // reduction)
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1) if pool else nn.Identity(),
            nn.Conv2d(dim, hidden, kernel_size=1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, dim, kernel_size=1),
            nn.BatchNorm2d(dim),
        )

    @override
    def forward(self, summed: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, H, W, C), or (B, 1, 1, C) when pooled."""
        scored: torch.Tensor = self.layers(summed.permute(0, 3, 1, 2))
        return scored.permute(0, 2, 3, 1)


class MultiFrequencyFusion(nn.Module):
    """Weigh the encoder map against the decoder map at every position and channel (MFMS).

    With w = sigmoid(G(F + F~) + L(F + F~)) the result is w F + (1 - w) F~.

    Args:
        dim: Channels of both maps.
        config: Choices of the fusion.
    """

    def __init__(self, dim: int, *, config: FusionConfig) -> None:
        super().__init__()
        self.global_branch = (
            MultiScaleContext(dim, reduction=config.local_reduction, pool=True)
            if config.global_branch == "ms_cam"
            else MultiFrequencyPooling(dim, config=config)
        )
        self.local_branch = MultiScaleContext(dim, reduction=config.local_reduction)

    @override
    def forward(self, encoded: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
        """Map two maps (B, H, W, C) to one of the same shape, or raise a ShapeError."""
        if encoded.shape != decoded.shape:
            message = (
                f"encoder map {tuple(encoded.shape)} and decoder map {tuple(decoded.shape)} "
                "differ; fusion needs two maps of one level"
            )
            raise ShapeError(message)
        summed = encoded + decoded
        weight = torch.sigmoid(self.global_branch(summed) + self.local_branch(summed))
        return torch.lerp(decoded, encoded, weight)
