"""Resolution changes of Swin-like networks: embed, merge and expand patches.

Source: Swin Transformer (Liu et al. 2021, section 3.1) for embedding and merging; Swin-UNet (Cao
et al. 2021, section 3.4) for expanding. All layers but the embedding take and return
channels-last maps (B, H, W, C).
"""

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import ShapeError
from rsmamba.models.layers.norm import Norm


class PatchEmbed(nn.Module):
    """Cut the image into patches and project each to a vector: strided convolution, LayerNorm.

    Args:
        in_channels: Channels of the image.
        dim: Channels of the result.
        patch: Side of a patch in pixels.
        norm: Makes the norm over the channels.
    """

    def __init__(
        self, in_channels: int, dim: int, *, patch: int = 4, norm: Norm = nn.LayerNorm
    ) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, kernel_size=patch, stride=patch)
        self.norm = norm(dim)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, C, H, W) to features (B, H/patch, W/patch, dim)."""
        return self.norm(self.proj(image).permute(0, 2, 3, 1))  # (B, H, W, C)


class PatchMerging(nn.Module):
    """Halve the resolution and double the channels.

    The four pixels of a 2x2 cell are joined in the order (0,0), (1,0), (0,1), (1,1) of their
    (row, column) offsets, then normalised and projected; released weights depend on that order.

    Args:
        dim: Channels C of the input.
        out: Channels of the result; None means 2C.
        norm: Makes the norm over the joined channels.
        pad_odd: Add a row or column of zeros at the end of an odd side, as Swin does; otherwise
            odd sides are refused.
    """

    def __init__(
        self,
        dim: int,
        *,
        out: int | None = None,
        norm: Norm = nn.LayerNorm,
        pad_odd: bool = False,
    ) -> None:
        super().__init__()
        self.pad_odd = pad_odd
        self.norm = norm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim if out is None else out, bias=False)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, ceil(H/2), ceil(W/2), out)."""
        height, width = features.shape[1:3]
        if height % 2 or width % 2:
            if not self.pad_odd:
                message = (
                    f"patch merging needs even sides, got {height}x{width}; pad the input first"
                )
                raise ShapeError(message)
            features = functional.pad(features, (0, 0, 0, width % 2, 0, height % 2))
        corners = [features[:, row::2, col::2] for col in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))


class PatchExpanding(nn.Module):
    """Raise the resolution by a factor and divide the channels by it.

    Args:
        dim: Channels of the input, divisible by the factor.
        factor: Factor of the resolution: 2 between stages, 4 before the head.
    """

    def __init__(self, dim: int, *, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.expand = nn.Linear(dim, factor * dim, bias=False)
        self.norm = nn.LayerNorm(dim // factor)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to (B, factor H, factor W, C / factor)."""
        batch, height, width, _ = features.shape
        factor = self.factor
        cells = self.expand(features).view(batch, height, width, factor, factor, -1)
        cells = cells.transpose(2, 3)  # (B, H, row offset, W, column offset, C)
        return self.norm(cells.reshape(batch, factor * height, factor * width, -1))
