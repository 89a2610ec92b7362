"""Size and choices of a ViM network, and the published ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Variant
from rsmamba.models.layers.feature_pyramid import pyramid_factors
from rsmamba.models.pruning.config import PruningConfig

BimambaType = Literal["none", "v1", "v2"]
PoolType = Literal["none", "mean", "max", "all"]
LastLayerProcess = Literal["none", "add", "add & norm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size and choices of the network; the defaults are the released ViM-Tiny.

    Attributes:
        img_size: Sides of the image in pixels, (height, width), that the position embedding is
            made for; other images get it resized. One number stands for a square.
        patch_size: Side of a patch in pixels.
        stride: Distance of two patches in pixels, at most patch_size.
        embed_dim: Channels C of the tokens.
        depth: Number of blocks.
        d_state: State size N of the scan.
        d_conv: Length of the causal convolution.
        expand: Inner channels of the mixer as a multiple of C.
        dt_rank: Rank R of the step-size projection; "auto" is ceil(C / 16).
        conv_bias: Bias of the causal convolution.
        bias: Bias of the mixer's input and output projections.
        bimamba_type: "v2" scans backwards with parameters of its own, "v1" with its own A only,
            "none" only forwards.
        if_divide_out: Whether "v2" takes the mean of both directions instead of their sum.
        init_layer_scale: First value of a learned factor of each channel of the mixer's output;
            None has no such factor.
        rms_norm: RMSNorm in place of LayerNorm.
        norm_epsilon: Epsilon of every norm.
        residual_in_fp32: Keep the sum of the blocks in float32 when the network is narrower.
        if_bidirectional: Run blocks in pairs, the second one over the reversed tokens.
        if_cls_token: Whether the classifier adds a class token and reads it.
        use_middle_cls_token: Put the class token in the middle instead of first.
        use_double_cls_token: A class token at both ends; their mean is read.
        final_pool_type: What a classifier without class token reads: the last token ("none"), the
            mean of the tokens, or the largest logit over the tokens ("max"). "all", which the
            released dense configurations have, is for dense forms only.
        if_abs_pos_embed: Whether a learned position embedding is added.
        if_rope: Rotate the channels of the tokens by their position before each block.
        if_rope_residual: Rotate the sum of the blocks too.
        pt_hw_seq_len: Length to which the rotations of a row or column are scaled.
        flip_img_sequences_ratio: Probability in training that the classifier reads the tokens
            backwards; 1 or more does it always.
        drop_rate: Dropout rate of the embedded patches.
        drop_path_rate: Drop rate of the last block.
        out_indices: Blocks whose outputs are the maps of the dense form, rising.
        if_fpn: Maps of four strides by a simple feature pyramid; False leaves them as they are.
        use_residual_as_feature: Maps are the sum of the blocks so far, not the last mixer alone.
        last_layer_process: What becomes of such a map after the very last block: the mixer's
            output alone ("none"), added to the sum, or added and normalised.
        pruning: Where tokens are dropped; None keeps all.
    """

    img_size: int | tuple[int, int] = 224
    patch_size: int = 16
    stride: int = 16
    embed_dim: int = 192
    depth: int = 24
    d_state: int = 16
    d_conv: int = 4
    expand: float = 2
    dt_rank: int | Literal["auto"] = "auto"
    conv_bias: bool = True
    bias: bool = False
    bimamba_type: BimambaType = "v2"
    if_divide_out: bool = True
    init_layer_scale: float | None = None
    rms_norm: bool = True
    norm_epsilon: float = 1e-5
    residual_in_fp32: bool = True
    if_bidirectional: bool = False
    if_cls_token: bool = True
    use_middle_cls_token: bool = True
    use_double_cls_token: bool = False
    final_pool_type: PoolType = "mean"
    if_abs_pos_embed: bool = True
    if_rope: bool = False
    if_rope_residual: bool = False
    pt_hw_seq_len: int = 14
    flip_img_sequences_ratio: float = -1.0
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    out_indices: tuple[int, ...] = (5, 11, 17, 23)
    if_fpn: bool = True
    use_residual_as_feature: bool = False
    last_layer_process: LastLayerProcess = "none"
    pruning: PruningConfig | None = None

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If sizes do not fit each other or a layer does not exist.
        """
        sizes = (self.embed_dim, self.depth, self.d_state, self.d_conv, self.rank, self.inner)
        if min(sizes) < 1:
            message = (
                f"embed_dim {self.embed_dim}, depth {self.depth}, d_state {self.d_state}, d_conv "
                f"{self.d_conv}, expand {self.expand}, dt_rank {self.dt_rank}: give 1 or more"
            )
            raise OptionError(message)
        if not 1 <= self.stride <= self.patch_size <= min(self.image_sides):
            message = (
                f"stride {self.stride}, patch_size {self.patch_size} and img_size {self.img_size} "
                "must rise in this order"
            )
            raise OptionError(message)
        if self.if_rope and self.embed_dim % 4:
            message = f"if_rope needs an embed_dim divisible by 4, got {self.embed_dim}"
            raise OptionError(message)
        if self.if_bidirectional and self.depth % 2:
            message = f"if_bidirectional runs blocks in pairs; depth {self.depth} is odd"
            raise OptionError(message)
        if self.pruning is not None:
            self.pruning.check_depth(self.depth)
            self._check_pruning(self.pruning)

    def _check_pruning(self, pruning: PruningConfig) -> None:
        """Check that the network has what pruning asks for."""
        if self.if_bidirectional:
            message = "if_bidirectional cannot drop tokens; use bimamba_type instead"
            raise OptionError(message)
        if pruning.score_source == "bwd" and self.bimamba_type == "none":
            message = 'score_source is "bwd", but the network scans only forwards; give "sum"'
            raise OptionError(message)

    def check_dense(self) -> None:
        """Check what only the dense form reads.

        Raises:
            OptionError: If a map is asked of a block that is not there, or has no pyramid level.
        """
        out = tuple(self.out_indices)
        if not out or out != tuple(sorted(set(out) & set(range(self.depth)))):
            message = f"out_indices {out} must be blocks from 0 to {self.depth - 1}, rising"
            raise OptionError(message)
        if self.if_bidirectional:
            message = "if_bidirectional has no dense form; use bimamba_type instead"
            raise OptionError(message)
        if self.if_fpn:
            factors = pyramid_factors(patch=self.patch_size, num_maps=len(out))
            if self.stride % factors[0]:
                message = f"if_fpn needs a stride divisible by {factors[0]:.0f}, got {self.stride}"
                raise OptionError(message)

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
        return int(self.expand * self.embed_dim)

    @property
    def rank(self) -> int:
        """Rank R of the step-size projection."""
        return math.ceil(self.embed_dim / 16) if self.dt_rank == "auto" else self.dt_rank


_PAPER = "Vision Mamba (arXiv 2401.09417, ICML 2024)"
_LICENCE = "Apache-2.0"
# Dense choices of the released ViM-Small.
_RESIDUAL_MAPS = {"use_residual_as_feature": True, "last_layer_process": "add"}

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "vim_tiny": Variant(
            summary="ViM-Tiny: 24 blocks of 192 channels, 76.1 % on ImageNet-1k",
            paper=_PAPER,
            weights_licence=_LICENCE,
        ),
        "vim_small": Variant(
            summary="ViM-Small: 24 blocks of 384 channels, 80.5 % on ImageNet-1k",
            paper=_PAPER,
            weights_licence=_LICENCE,
            options={"embed_dim": 384, "drop_path_rate": 0.05, **_RESIDUAL_MAPS},
        ),
        "vim_base": Variant(
            summary="ViM-Base: 24 blocks of 768 channels, 81.9 % on ImageNet-1k",
            paper=_PAPER,
            weights_licence=_LICENCE,
            options={"embed_dim": 768, "drop_path_rate": 0.05, **_RESIDUAL_MAPS},
        ),
    }
)
"""The published sizes."""
