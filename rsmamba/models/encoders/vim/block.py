"""One layer of ViM, and the convolution that makes its patches."""

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.gaps import Gaps
from rsmamba.models.encoders.vim.mixer import BidirectionalMamba, Scanned
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.padding import pad_to_size
from rsmamba.models.layers.rms_norm import RMSNorm

# Standard deviation of a normal variable that is cut off at two of them.
_TRUNCATED_STD = 0.87962566103423978


def patches_along(side: int, *, patch: int, stride: int) -> int:
    """Count the patches along a side that is padded to hold whole ones.

    Args:
        side: Pixels, at least 1.
        patch: Side of a patch.
        stride: Distance of two patches.

    Returns:
        Number of patches, at least 1.

    Example:
        >>> patches_along(224, patch=16, stride=8)
        27
    """
    return 1 + max(0, -(-(side - patch) // stride))


class PatchEmbed(nn.Module):
    """Project patches, which overlap where the stride is smaller than their side.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        self.patch_size, self.stride = config.patch_size, config.stride
        self.proj = nn.Conv2d(
            in_channels, config.embed_dim, kernel_size=self.patch_size, stride=self.stride
        )
        # LeCun's normal distribution, cut off at two standard deviations.
        nn.init.trunc_normal_(self.proj.weight)
        fan_in = in_channels * self.patch_size**2
        with torch.no_grad():
            self.proj.weight /= _TRUNCATED_STD * math.sqrt(fan_in)
        if self.proj.bias is not None:
            nn.init.zeros_(self.proj.bias)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map an image (B, C, H, W) to patches (B, embed_dim, h, w)."""
        height, width = (self._padded(side) for side in image.shape[-2:])
        return self.proj(pad_to_size(image, height=height, width=width))

    def _padded(self, side: int) -> int:
        """Return the side that holds whole patches."""
        count = patches_along(side, patch=self.patch_size, stride=self.stride)
        return self.patch_size + (count - 1) * self.stride


def make_norm(config: Config) -> nn.Module:
    """Make the norm that all layers of a network use.

    Args:
        config: Size and choices of the network.

    Returns:
        The norm over the channels of a token.
    """
    norm = RMSNorm if config.rms_norm else nn.LayerNorm
    return norm(config.embed_dim, eps=config.norm_epsilon)


class Block(nn.Module):
    """Pre-normalised mixer whose output is added to the residual at the next block.

    Args:
        config: Size and choices of the network.
        drop_path: Drop rate of what comes in.
    """

    def __init__(self, config: Config, *, drop_path: float) -> None:
        super().__init__()
        self.residual_in_fp32 = config.residual_in_fp32
        self.norm = make_norm(config)
        self.mixer = BidirectionalMamba(config)
        self.drop_path = DropPath(drop_path)

    @override
    def forward(
        self, hidden: Tensor, residual: Tensor | None, gaps: Gaps | None = None
    ) -> tuple[Tensor, Tensor, Scanned]:
        """Run one layer.

        Args:
            hidden: Output of the mixer before, (B, L, C); the tokens at the first block.
            residual: Sum of everything before that, (B, L, C), or None at the first block.
            gaps: What was dropped between the tokens, or None.

        Returns:
            Output of this mixer, the sum of everything before it, and what the scans put out.
        """
        residual = hidden if residual is None else residual + self.drop_path(hidden)
        if self.residual_in_fp32:
            residual = residual.to(torch.promote_types(residual.dtype, torch.float32))
        scanned = self.mixer.scan(normalise(self.norm, residual), gaps)
        return self.mixer.project(scanned), residual, scanned


def normalise(norm: nn.Module, residual: Tensor) -> Tensor:
    """Normalise a sum that may be wider than the network.

    Args:
        norm: The norm of a layer.
        residual: Sum of the blocks, (B, L, C).

    Returns:
        Tokens (B, L, C) in the type of the norm's weights.
    """
    dtype = next(norm.parameters()).dtype
    # RMSNorm reads the wide sum; torch's LayerNorm wants input and weights of one type.
    wide = residual if isinstance(norm, RMSNorm) else residual.to(dtype)
    return norm(wide).to(dtype)
