"""The decoder of CVMH-UNet behind any encoder.

Source: CVMH-UNet (arXiv 2410.05624 v1, figure 1, section III-C): blocks, patch expanding, and the
multi-frequency fusion (MFMS) with the encoder's map at every level. Different here: each map of the
encoder first goes through a linear layer to the width of its level, so that encoders of any widths
and strides fit, and maps are resampled where their sides are not exactly half of the next ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.decoders.base import Decoder
from rsmamba.models.fusion import FusionConfig, MultiFrequencyFusion
from rsmamba.models.layers.cvss_block import LocalBranchConfig
from rsmamba.models.layers.detail import DetailHead, DetailStem
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.patch import PatchExpanding
from rsmamba.models.layers.stage import Stage
from rsmamba.ops.scan_paths import ScanPaths

# Side of the images that CVMH-UNet was published with.
PUBLISHED_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetConfig:
    """Size and choices of the decoder.

    Attributes:
        dim: Channels of the finest level, a multiple of 4; each coarser level doubles them.
        depth: Blocks of each level.
        block: "cvss" is CVMH-UNet's block, "vss" the state-space block alone.
        fusion: "mfms" fuses by frequencies, "add" adds the encoder's map.
        stage_residual: A skip around each level that has at least two blocks.
        paths: Scan paths of the state-space mixer.
        d_state: State size of the scan.
        ssm_ratio: Inner channels of the mixer as a multiple of its channels.
        drop_path: Drop rate of the coarsest block; rates fall linearly to the finest.
        detail: Channels of convolutions on the image itself at full resolution, twice as many at
            half of it, that join the finest map on its way to the pixels; 0 for none.
        dct_size: "published" pools maps to the sides they have for an input of 256 pixels before
            the basis images are applied; "native" applies them at the size of the maps.
        local: Choices inside the block.
        skip: Choices inside the fusion.
    """

    dim: int = 48
    depth: int = 1
    block: Literal["cvss", "vss"] = "cvss"
    fusion: Literal["mfms", "add"] = "mfms"
    stage_residual: bool = True
    paths: ScanPaths = "cs2d"
    d_state: int = 1
    ssm_ratio: float = 2.0
    drop_path: float = 0.0
    detail: int = 0
    dct_size: Literal["native", "published"] = "published"
    local: LocalBranchConfig = field(default_factory=LocalBranchConfig)
    skip: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            OptionError: If the width does not fit the head, a level has no block, or detail is
                negative.
        """
        if self.dim < 4 or self.dim % 4 or self.depth < 1 or self.detail < 0:
            message = (
                f"dim is {self.dim}, depth {self.depth} and detail {self.detail}; give a dim that "
                "is a multiple of 4, a depth of at least 1 and a detail of at least 0"
            )
            raise OptionError(message)


class UNetDecoder(Decoder):
    """From coarse to fine: blocks, fusion with the encoder's map, expanding.

    Args:
        in_channels: Channels of the encoder's maps, from fine to coarse.
        strides: Image pixels per pixel of each map.
        num_classes: Channels of the logits.
        image_channels: Channels of the image.
        config: Size and choices; None takes the defaults.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        *,
        num_classes: int,
        image_channels: int = 3,
        config: UNetConfig | None = None,
    ) -> None:
        super().__init__()
        config = UNetConfig() if config is None else config
        dims = [config.dim * 2**level for level in range(len(in_channels))]
        rates = linear_rates(config.drop_path, config.depth * len(dims))
        # Level 0 is the finest everywhere in this class; forward() walks from the last to it.
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, dim), nn.LayerNorm(dim))
            for channels, dim in zip(in_channels, dims, strict=True)
        )
        self.stages = nn.ModuleList(
            Stage(config, dim=dim, drop_rates=rates[level * config.depth :][: config.depth])
            for level, dim in enumerate(dims)
        )
        self.expandings = nn.ModuleList(PatchExpanding(dim) for dim in dims[1:])
        self.fusions = nn.ModuleList(_fusions(config, dims=dims, strides=strides))
        self.detail_stem: DetailStem | None = None
        if config.detail:
            self.detail_stem = DetailStem(image_channels, width=config.detail)
            self.detail_head = DetailHead(config.dim, num_classes=num_classes, width=config.detail)
        else:
            self.final_expanding = PatchExpanding(config.dim, factor=4)
            self.head = nn.Conv2d(config.dim // 4, num_classes, kernel_size=1)

    @override
    def forward(self, maps: Sequence[torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        encoded = [
            lateral(feature.permute(0, 2, 3, 1))
            for lateral, feature in zip(self.laterals, maps, strict=True)
        ]
        decoded = encoded[-1]
        for level in reversed(range(len(encoded))):
            if level < len(encoded) - 1:
                decoded = _expanded(self.expandings[level], decoded, encoded[level].shape[1:3])
            decoded = self._fuse(level, encoded=encoded[level], decoded=self.stages[level](decoded))
        return self._score(decoded, image)

    def _score(self, decoded: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Turn the finest map (B, H', W', C) into logits (B, K, H, W)."""
        logits: torch.Tensor
        if self.detail_stem is None:
            pixels = _expanded(self.final_expanding, decoded, image.shape[-2:])
            logits = self.head(pixels.permute(0, 3, 1, 2))
        else:
            logits = self.detail_head(decoded, self.detail_stem(image))
        return logits

    def _fuse(self, level: int, *, encoded: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
        """Join the two maps of a level, both (B, H, W, C)."""
        if not len(self.fusions):
            return encoded + decoded
        fused: torch.Tensor = self.fusions[level](encoded, decoded)
        return fused


def _fusions(
    config: UNetConfig, *, dims: Sequence[int], strides: Sequence[int]
) -> list[MultiFrequencyFusion]:
    """Make the fusions from fine to coarse; none for plain addition."""
    if config.fusion == "add":
        return []
    fusions = []
    for dim, stride in zip(dims, strides, strict=True):
        side = max(1, PUBLISHED_SIDE // stride)
        pooled = side if config.dct_size == "published" else config.skip.pooled_size
        fusions.append(MultiFrequencyFusion(dim, config=replace(config.skip, pooled_size=pooled)))
    return fusions


def _expanded(expanding: nn.Module, features: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Expand a map (B, H, W, C) and bring it to a size."""
    expanded: torch.Tensor = expanding(features)
    height, width = size
    surplus = (expanded.shape[1] - height, expanded.shape[2] - width)
    # A side that was rounded up on the way down comes back less than a factor too long.
    if min(surplus) >= 0 and max(surplus) < expanded.shape[1] // features.shape[1]:
        return expanded[:, :height, :width]
    resized = functional.interpolate(
        expanded.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=False
    )
    return resized.permute(0, 2, 3, 1)
