"""CVMH-UNet: a U-shaped network of state-space and convolution blocks for aerial scenes.

Source: "Remote Sensing Image Segmentation Using Vision Mamba and Multi-Scale Multi-Frequency
Feature Fusion" (arXiv 2410.05624 v1). No official code is known. Where the paper is silent, the
layout follows VM-UNet (Ruan and Xiang 2024), which the published parameter counts confirm; what
they do not settle is an option of ``CVMHUNetConfig``.

The same class is the VM-UNet baseline of the paper's ablations: ``block="vss"``, ``fusion="add"``,
``paths="cross"``, ``stage_residual=False``.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import nn
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.fusion import FusionConfig, MultiFrequencyFusion
from rsmamba.models.layers.cvss_block import LocalBranchConfig
from rsmamba.models.layers.detail import DetailHead, DetailStem
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.initialisation import initialise_linear
from rsmamba.models.layers.padding import pad_to_multiple
from rsmamba.models.layers.patch import PatchEmbed, PatchExpanding, PatchMerging
from rsmamba.models.layers.stage import Stage
from rsmamba.ops.scan_paths import ScanPaths

# Patches of 4 pixels, then three mergings.
INPUT_MULTIPLE = 32
# Sides of the feature maps at the 256 pixels that the network was published with.
PUBLISHED_SIDES = (64, 32, 16, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class CVMHUNetConfig:
    """Size and choices of the network; the defaults are the published one.

    Attributes:
        dim: Channels of the first level; each further level doubles them.
        encoder_depths: Blocks of the four encoder stages, from fine to coarse.
        decoder_depths: Blocks of the four decoder stages, from coarse to fine.
        block: "cvss" is the paper's block, "vss" the state-space block alone.
        fusion: "mfms" fuses at four levels; "add" adds the skips of the three coarser levels.
        stage_residual: A skip around each stage that has at least two blocks.
        paths: Scan paths of the state-space mixer.
        d_state: State size of the scan.
        ssm_ratio: Inner channels of the mixer as a multiple of its channels.
        drop_path: Drop rate of the deepest encoder block; rates fall linearly towards the ends.
        dct_size: "native" applies the frequency images at the size of the maps; "published" pools
            the maps to the sides they have for an input of 256 pixels.
        detail: Channels of convolutions at full resolution, twice as many at half of it, before the
            patch embedding and behind the decoder; 0 leaves them out, as published.
        local: Choices inside the paper's block.
        skip: Choices inside the fusion.
    """

    dim: int = 96
    encoder_depths: tuple[int, int, int, int] = (2, 2, 2, 2)
    decoder_depths: tuple[int, int, int, int] = (2, 2, 2, 1)
    block: Literal["cvss", "vss"] = "cvss"
    fusion: Literal["mfms", "add"] = "mfms"
    stage_residual: bool = True
    paths: ScanPaths = "cs2d"
    d_state: int = 16
    ssm_ratio: float = 2.0
    drop_path: float = 0.2
    dct_size: Literal["native", "published"] = "native"
    detail: int = 0
    local: LocalBranchConfig = field(default_factory=LocalBranchConfig)
    skip: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If the width does not fit the head or a stage has no block.
        """
        if self.detail < 0:
            message = f"detail is {self.detail}; give a number of channels, or 0 for none"
            raise OptionError(message)
        if self.dim < 4 or self.dim % 4:
            message = f"dim is {self.dim}; give a multiple of 4, because the head divides it by 4"
            raise OptionError(message)
        for depths in (self.encoder_depths, self.decoder_depths):
            if [depth >= 1 for depth in depths] != [True] * 4:
                message = f"depths {depths} must be four numbers of at least 1"
                raise OptionError(message)


class CVMHUNet(nn.Module):
    """Encoder and decoder of four stages, joined at every level by the fusion.

    Args:
        num_classes: Channels of the logits.
        in_channels: Bands of the image.
        config: Size and choices; None is the published network.
    """

    def __init__(
        self, *, num_classes: int, in_channels: int = 3, config: CVMHUNetConfig | None = None
    ) -> None:
        super().__init__()
        config = CVMHUNetConfig() if config is None else config
        dims = [config.dim * 2**level for level in range(4)]
        self.detail_stem: DetailStem | None = None
        if config.detail:
            self.detail_stem = DetailStem(in_channels, width=config.detail)
            self.patch_embed = PatchEmbed(2 * config.detail, config.dim, patch=2)
        else:
            self.patch_embed = PatchEmbed(in_channels, config.dim)
        self.encoder = _stages(config, dims=dims, depths=config.encoder_depths)
        self.mergings = nn.ModuleList(PatchMerging(dim) for dim in dims[:-1])
        # The decoder runs from coarse to fine, so its widths and drop rates run backwards.
        self.decoder = _stages(
            config, dims=dims[::-1], depths=config.decoder_depths, falling_drop=True
        )
        self.expandings = nn.ModuleList(PatchExpanding(dim) for dim in dims[:0:-1])
        self.fusions = nn.ModuleList(_fusions(config, dims=dims))
        self.head: nn.Module
        if config.detail:
            self.head = DetailHead(config.dim, num_classes=num_classes, width=config.detail)
        else:
            self.final_expanding = PatchExpanding(config.dim, factor=4)
            self.head = nn.Conv2d(config.dim // 4, num_classes, kernel_size=1)
        self.apply(initialise_linear)

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Score every pixel.

        Args:
            image: Normalised image (B, C, H, W), any H and W.

        Returns:
            Logits (B, num_classes, H, W).
        """
        height, width = image.shape[-2:]
        image = pad_to_multiple(image, INPUT_MULTIPLE)
        details = None if self.detail_stem is None else self.detail_stem(image)
        features = self.patch_embed(image if details is None else details[1])
        skips = []
        for level, stage in enumerate(self.encoder):
            skips.append(features)
            features = stage(features)
            if level < len(self.mergings):
                features = self.mergings[level](features)
        for level, stage in enumerate(self.decoder):
            if level > 0:
                features = self.expandings[level - 1](features)
            features = self._fuse(level, encoded=skips[-1 - level], decoded=stage(features))
        if details is not None:
            with_detail: torch.Tensor = self.head(features, details)
            return with_detail[..., :height, :width]
        logits: torch.Tensor = self.head(self.final_expanding(features).permute(0, 3, 1, 2))
        return logits[..., :height, :width]

    def _fuse(self, level: int, *, encoded: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
        """Join the two maps of a decoder level, both (B, H, W, C)."""
        if len(self.fusions):
            fused: torch.Tensor = self.fusions[level](encoded, decoded)
            return fused
        # The baseline never uses the finest skip, as in VM-UNet.
        return decoded if level == len(self.decoder) - 1 else encoded + decoded


def _stages(
    config: CVMHUNetConfig, *, dims: list[int], depths: tuple[int, ...], falling_drop: bool = False
) -> nn.ModuleList:
    rates = linear_rates(config.drop_path, sum(depths))
    if falling_drop:
        rates.reverse()
    stages = nn.ModuleList()
    for dim, depth in zip(dims, depths, strict=True):
        stages.append(Stage(config, dim=dim, drop_rates=rates[:depth]))
        rates = rates[depth:]
    return stages


def _fusions(config: CVMHUNetConfig, *, dims: list[int]) -> list[MultiFrequencyFusion]:
    """Make the fusions from coarse to fine; none for plain addition."""
    if config.fusion == "add":
        return []
    fusions = []
    for dim, side in zip(dims[::-1], PUBLISHED_SIDES[::-1], strict=True):
        pooled = side if config.dct_size == "published" else config.skip.pooled_size
        fusions.append(MultiFrequencyFusion(dim, config=replace(config.skip, pooled_size=pooled)))
    return fusions
