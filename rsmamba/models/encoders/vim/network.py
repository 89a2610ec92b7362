"""The two forms of ViM: feature maps without class token, and classes of a whole image.

Source: Vision Mamba (arXiv 2401.09417) and released code (commit dd0358a). Different here: images
of any size, padded at the bottom and right up to whole patches, and any grid in the dense form,
which officially is a square.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.models.encoders.base import Encoder
from rsmamba.models.encoders.vim.backbone import Backbone, End, FullState
from rsmamba.models.encoders.vim.block import make_norm, normalise
from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.sequence import Rotation
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.feature_pyramid import FeaturePyramid, fit_to_image, pyramid_factors
from rsmamba.models.pruning.tokens import KeptTokens


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
            _, states = self.backbone.run(tokens, turn, keep=out)
            return [states[index].hidden for index in out]
        # What a block has added is in the residual that the next block returns.
        keep = [min(index + 1, last) for index in out]
        _, states = self.backbone.run(tokens, turn, keep=keep)
        sequences = [states[index + 1].residual for index in out if index < last]
        return sequences + ([self._last(states[last])] if out[-1] == last else [])

    def _last(self, state: FullState) -> Tensor:
        """Apply the chosen process to the state after the very last block, (B, L, C)."""
        if self.config.last_layer_process == "none":
            return state.hidden
        return state.total if self.norm_f is None else normalise(self.norm_f, state.total)


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
        positions = self.backbone.positions(grid[0] * grid[1])
        if flipped:
            tokens, turn = tokens.flip(1), None if turn is None else turn.flipped()
        end = self._run(
            tokens, turn, positions=_reversed(positions, tokens) if flipped else positions
        )
        total = self.drop_path(end.hidden)
        if end.residual is not None:
            total = end.residual + total
        tokens, kept = normalise(self.norm_f, total), end.kept
        if flipped:
            tokens, kept = tokens.flip(1), None if kept is None else kept.flipped()
        return self._scores(tokens, kept, positions=positions)

    def _run(self, tokens: Tensor, turn: Rotation | None, *, positions: Sequence[int]) -> End:
        """Run all blocks over tokens (B, L, C) with class tokens at some places."""
        if self.config.if_bidirectional:
            return self.backbone.run_pairs(tokens, turn)
        return self.backbone.run(tokens, turn, always=positions)[0]

    def _draws_flip(self) -> bool:
        """Decide whether this batch is read backwards."""
        ratio = self.config.flip_img_sequences_ratio
        if ratio <= 0 or not self.training:
            return ratio >= 1
        return bool(torch.rand(()) < ratio)

    def _scores(
        self, tokens: Tensor, kept: KeptTokens | None, *, positions: Sequence[int]
    ) -> Tensor:
        """Pool normalised tokens (B, n, C) in their original order, and score them."""
        if positions:
            classes = [_token_at(tokens, kept, position) for position in positions]
            return self.head(torch.stack(classes).mean(dim=0))
        if self.config.final_pool_type == "max":
            return self.head(tokens).amax(dim=1)
        mean = self.config.final_pool_type == "mean"
        return self.head(tokens.mean(dim=1) if mean else tokens[:, -1])


def _token_at(tokens: Tensor, kept: KeptTokens | None, position: int) -> Tensor:
    """Return the token (B, C) that stood at a place of the full sequence, and is still there."""
    if kept is None:
        return tokens[:, position]
    images = torch.arange(tokens.shape[0], device=tokens.device)
    return tokens[images, kept.find(position)]


def _reversed(positions: Sequence[int], tokens: Tensor) -> tuple[int, ...]:
    """Return the same places of reversed tokens (B, L, C)."""
    return tuple(tokens.shape[1] - 1 - position for position in reversed(positions))


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
