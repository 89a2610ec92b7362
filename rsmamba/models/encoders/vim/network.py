"""The two forms of ViM: feature maps without class token, and classes of a whole image.

Source: Vision Mamba (arXiv 2401.09417) and released code (commit dd0358a). Different here: images
of any size, padded at the bottom and right up to whole patches, and any grid in the dense form,
which officially is a square.
"""

import torch
from torch import Tensor, nn
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.vim.backbone import Backbone, State
from rsmamba.models.encoders.vim.block import make_norm, normalise
from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.sequence import Rotation
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.feature_pyramid import FeaturePyramid, fit_to_image, pyramid_factors


class VimEncoder(Encoder):
    """Maps after chosen blocks, and a pyramid over them.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        config.check_dense()
        self.config = config
        self.backbone = Backbone(config, in_channels=in_channels, class_tokens=False)
        self.norm_f: nn.Module | None = None
        ends_in_map = config.out_indices[-1] == config.depth - 1
        if config.use_residual_as_feature and ends_in_map:
            # Only here does the dense form read the norm that a checkpoint holds.
            self.norm_f = make_norm(config) if config.last_layer_process == "add & norm" else None
        factors = (1.0,) * len(config.out_indices)
        self.pyramid: FeaturePyramid | None = None
        if config.if_fpn:
            factors = pyramid_factors(patch=config.patch_size, num_maps=len(factors))
            self.pyramid = FeaturePyramid(config.embed_dim, factors=factors)
        self.strides = tuple(round(config.stride / factor) for factor in factors)
        self.out_channels = (config.embed_dim,) * len(factors)

    @override
    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the feature maps.

        Args:
            image: Normalised image (B, C, H, W), any H and W.

        Returns:
            One map (B, out_channels[i], ceil(H / strides[i]), ceil(W / strides[i])) for each i.
        """
        tokens, grid = self.backbone.embed(image)
        turn = self.backbone.rotation(grid, like=tokens)
        # The residual does not leave the network in a wider type than the tokens have.
        maps = [
            sequence.to(tokens.dtype).transpose(1, 2).reshape(len(image), -1, *grid)
            for sequence in self._sequences(tokens, turn)
        ]
        levels = maps if self.pyramid is None else self.pyramid(maps)
        return [
            fit_to_image(level, image=image, stride=stride)
            for level, stride in zip(levels, self.strides, strict=True)
        ]

    def _sequences(self, tokens: Tensor, turn: Rotation | None) -> list[Tensor]:
        """Compute the tokens (B, L, C) of each map."""
        out, last = self.config.out_indices, self.config.depth - 1
        if not self.config.use_residual_as_feature:
            _, kept = self.backbone.run(tokens, turn, keep=out)
            return [kept[index].hidden for index in out]
        # What a block has added is in the residual that the next block returns.
        keep = [min(index + 1, last) for index in out]
        end, kept = self.backbone.run(tokens, turn, keep=keep)
        residuals = [kept[index + 1].residual for index in out if index < last]
        sequences = [residual for residual in residuals if residual is not None]
        return sequences + ([self._last(end)] if out[-1] == last else [])

    def _last(self, state: State) -> Tensor:
        """Apply the chosen process to the state after the very last block, (B, L, C)."""
        if self.config.last_layer_process == "none" or state.residual is None:
            return state.hidden
        total = state.residual + state.hidden
        return total if self.norm_f is None else normalise(self.norm_f, total)


class VimClassifier(nn.Module):
    """Classes of an image from its class token, or from a pool of its tokens.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.

    Raises:
        OptionError: If the configuration says nothing of how a class is read.
    """

    def __init__(self, config: Config, *, in_channels: int, num_classes: int) -> None:
        super().__init__()
        if config.final_pool_type == "all" and not config.if_cls_token:
            message = (
                'final_pool_type "all" scores every token; a classifier without class token '
                'needs "none", "mean" or "max"'
            )
            raise OptionError(message)
        self.config = config
        self.backbone = Backbone(config, in_channels=in_channels, class_tokens=True)
        self.drop_path = DropPath(config.drop_path_rate)
        self.norm_f = make_norm(config)
        self.head = nn.Linear(config.embed_dim, num_classes)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Score an image (B, C, H, W), any H and W; logits (B, num_classes)."""
        tokens, grid = self.backbone.embed(image)
        turn = self.backbone.rotation(grid, like=tokens)
        flipped = self._draws_flip()
        if flipped:
            tokens, turn = tokens.flip(1), None if turn is None else turn.flipped()
        run_pairs = self.config.if_bidirectional
        backbone = self.backbone
        end = backbone.run_pairs(tokens, turn) if run_pairs else backbone.run(tokens, turn)[0]
        total = self.drop_path(end.hidden)
        if end.residual is not None:
            total = end.residual + total
        tokens = normalise(self.norm_f, total)
        return self._scores(tokens.flip(1) if flipped else tokens, patches=grid[0] * grid[1])

    def _draws_flip(self) -> bool:
        """Decide whether this batch is read backwards."""
        ratio = self.config.flip_img_sequences_ratio
        if ratio <= 0 or not self.training:
            return ratio >= 1
        return bool(torch.rand(()) < ratio)

    def _scores(self, tokens: Tensor, *, patches: int) -> Tensor:
        """Pool normalised tokens (B, L, C) in their original order, and score them."""
        positions = self.backbone.positions(patches)
        if positions:
            classes = [tokens[:, position] for position in positions]
            return self.head(torch.stack(classes).mean(dim=0))
        if self.config.final_pool_type == "max":
            return self.head(tokens).amax(dim=1)
        mean = self.config.final_pool_type == "mean"
        return self.head(tokens.mean(dim=1) if mean else tokens[:, -1])


def make_encoder(config: Config, *, in_channels: int) -> VimEncoder:
    """Make the dense form.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.

    Returns:
        The encoder.
    """
    return VimEncoder(config, in_channels=in_channels)


def make_classifier(config: Config, *, in_channels: int, num_classes: int) -> VimClassifier:
    """Make the form that the released ImageNet weights are for.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        num_classes: Channels of the logits.

    Returns:
        The classifier.
    """
    return VimClassifier(config, in_channels=in_channels, num_classes=num_classes)
