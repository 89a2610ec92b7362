"""Size and choices of a PlainMamba network, and the published ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Variant
from rsmamba.models.layers.feature_pyramid import pyramid_factors
from rsmamba.models.pruning.config import PruningConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size and choices of the network; the defaults are PlainMamba-L1.

    Attributes:
        img_size: Sides of the image in pixels, (height, width), that the position embedding is
            made for; other images get it resized. One number stands for a square.
        patch_size: Side of a patch in pixels, even; also the stride of the maps.
        embed_dims: Channels C of the tokens, the same in every layer.
        num_layers: Number of blocks.
        num_convs_patch_embed: 3x3 convolutions between the stem and the patches.
        layers_with_dwconv: Indices of the blocks that end in a 3x3 depth-wise convolution.
        with_pos_embed: Whether a learned position embedding is added to the patches.
        final_norm: Whether the tokens are normalised after the last block.
        use_rms_norm: RMSNorm in place of LayerNorm inside the blocks.
        d_state: State size N of the scan.
        expand: Inner channels of the mixer as a multiple of C.
        dt_rank: Rank R of the step-size projection; "auto" is ceil(C / 16).
        conv_size: Side of the mixer's depth-wise kernel, odd.
        conv_bias: Bias of that convolution.
        bias: Bias of the mixer's input and output projections.
        init_layer_scale: First value of a learned factor of each channel of the mixer's output;
            None has no such factor.
        permute_selective: False pairs step k of every scan with the step size, B and C of the
            raster token k, as the released weights were trained; True gives every token its own.
        drop_rate: Dropout rate of the embedded patches.
        drop_path_rate: Drop rate of the last block; rates rise linearly from 0.
        out_indices: Blocks whose outputs are the maps of the dense form, rising.
        pyramid: Maps of strides 4, 8, 16, 32 by a simple feature pyramid; False gives the
            official dense backbone, whose maps all have the stride of the patches.
        pruning: Where tokens are dropped; None keeps all.
    """

    img_size: int | tuple[int, int] = 224
    patch_size: int = 16
    embed_dims: int = 192
    num_layers: int = 24
    num_convs_patch_embed: int = 1
    layers_with_dwconv: tuple[int, ...] = (0,)
    with_pos_embed: bool = True
    final_norm: bool = True
    use_rms_norm: bool = False
    d_state: int = 16
    expand: float = 2
    dt_rank: int | Literal["auto"] = "auto"
    conv_size: int = 7
    conv_bias: bool = True
    bias: bool = True
    init_layer_scale: float | None = None
    permute_selective: bool = False
    drop_rate: float = 0.0
    drop_path_rate: float = 0.2
    out_indices: tuple[int, ...] = (5, 11, 17, 23)
    pyramid: bool = True
    pruning: PruningConfig | None = None

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If a size is below 1, a kernel does not fit or a layer does not exist.
        """
        sizes = (*self.image_sides, self.embed_dims, self.num_layers, self.d_state, self.rank)
        if min(*sizes, self.inner) < 1:
            message = (
                f"img_size {self.img_size}, embed_dims {self.embed_dims}, num_layers "
                f"{self.num_layers}, d_state {self.d_state}, expand {self.expand}, dt_rank "
                f"{self.dt_rank}: give sizes of 1 or more"
            )
            raise OptionError(message)
        if self.patch_size < 2 or self.patch_size % 2 or self.conv_size % 2 == 0:
            message = (
                f"patch_size is {self.patch_size} and conv_size {self.conv_size}; "
                "give an even patch and an odd kernel"
            )
            raise OptionError(message)
        if not set(self.layers_with_dwconv) <= set(range(self.num_layers)):
            message = (
                f"layers_with_dwconv is {self.layers_with_dwconv}; there are blocks 0 to "
                f"{self.num_layers - 1}"
            )
            raise OptionError(message)
        if self.pruning is not None:
            self.pruning.check_depth(self.num_layers)
            if self.pruning.score_source != "sum":
                message = (
                    f"score_source is {self.pruning.score_source!r}; PlainMamba adds its four "
                    'scans up, so that only "sum" can be scored'
                )
                raise OptionError(message)

    def check_dense(self) -> None:
        """Check what only the dense form reads.

        Raises:
            OptionError: If a map is asked of a block that is not there, or has no pyramid level.
        """
        out = tuple(self.out_indices)
        if not out or out != tuple(sorted(set(out) & set(range(self.num_layers)))):
            message = f"out_indices {out} must be blocks from 0 to {self.num_layers - 1}, rising"
            raise OptionError(message)
        if self.pyramid:
            pyramid_factors(patch=self.patch_size, num_maps=len(out))

    @property
    def image_sides(self) -> tuple[int, int]:
        """Height and width of the image that the position embedding is made for."""
        if isinstance(self.img_size, int):
            return self.img_size, self.img_size
        height, width = self.img_size
        return height, width

    @property
    def inner(self) -> int:
        """Channels E inside the mixer."""
        return int(self.expand * self.embed_dims)

    @property
    def rank(self) -> int:
        """Rank R of the step-size projection."""
        return math.ceil(self.embed_dims / 16) if self.dt_rank == "auto" else self.dt_rank


_PAPER = "PlainMamba (arXiv 2403.17695, BMVC 2024)"
_LICENCE = "Apache-2.0"

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "plainmamba_l1": Variant(
            summary="PlainMamba-L1: 24 blocks of 192 channels, 77.9 % on ImageNet-1k",
            paper=_PAPER,
            weights_licence=_LICENCE,
        ),
        "plainmamba_l2": Variant(
            summary="PlainMamba-L2: 24 blocks of 384 channels, 81.6 % on ImageNet-1k",
            paper=_PAPER,
            weights_licence=_LICENCE,
            options={
                "embed_dims": 384,
                "num_convs_patch_embed": 2,
                "layers_with_dwconv": (),
            },
        ),
        "plainmamba_l3": Variant(
            summary="PlainMamba-L3: 36 blocks of 448 channels, 82.3 % on ImageNet-1k",
            paper=_PAPER,
            weights_licence=_LICENCE,
            options={
                "embed_dims": 448,
                "num_layers": 36,
                "num_convs_patch_embed": 2,
                "layers_with_dwconv": (),
                "drop_path_rate": 0.4,
                "out_indices": (8, 17, 26, 35),
            },
        ),
    }
)
"""The published sizes."""
