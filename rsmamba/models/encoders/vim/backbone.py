"""What ViM's classifier and dense form share: patches, position, blocks."""

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rsmamba.models.encoders.vim.block import Block, PatchEmbed, patches_along
from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.sequence import (
    Rotation,
    class_positions,
    insert_entries,
    rotation,
    split_entries,
)
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.position import resize_position_embedding


class State(NamedTuple):
    """What a block hands to the next.

    Attributes:
        hidden: Output of the last mixer, (B, L, C).
        residual: Sum of everything before it, (B, L, C), or None before the first block.
    """

    hidden: Tensor
    residual: Tensor | None


class Backbone(nn.Module):
    """Patches, class tokens, position embedding and blocks under their official names.

    Attributes:
        trained_grid: Rows and columns of the grid that the position embedding is made for.
        layers: The blocks; each maps (hidden, residual) to the same.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        class_tokens: Whether class tokens are part of the sequence, if the network has any.
    """

    def __init__(self, config: Config, *, in_channels: int, class_tokens: bool) -> None:
        super().__init__()
        self.config = config
        self.class_tokens = class_tokens
        self.patch_embed = PatchEmbed(config, in_channels=in_channels)
        rows, cols = (
            patches_along(side, patch=config.patch_size, stride=config.stride)
            for side in config.image_sides
        )
        self.trained_grid = (rows, cols)
        self.drop_after_pos = nn.Dropout(config.drop_rate)
        count = len(self.positions(rows * cols))
        self.cls_token: nn.Parameter | None = None
        if count:
            self.cls_token = nn.Parameter(torch.empty(1, count, config.embed_dim))
            nn.init.trunc_normal_(self.cls_token, std=0.02)
        self.pos_embed: nn.Parameter | None = None
        if config.if_abs_pos_embed:
            self.pos_embed = nn.Parameter(torch.empty(1, rows * cols + count, config.embed_dim))
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
        # The addition that a rate belongs to happens one block later.
        rates = [0.0, *linear_rates(config.drop_path_rate, config.depth)]
        self.layers = nn.ModuleList(Block(config, drop_path=rate) for rate in rates[: config.depth])

    def positions(self, patches: int) -> tuple[int, ...]:
        """Say where class tokens stand in a sequence.

        Args:
            patches: Number of patches.

        Returns:
            Rising indices, none for the dense form.
        """
        return class_positions(self.config, patches) if self.class_tokens else ()

    def embed(self, image: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Cut an image into tokens with their positions.

        Args:
            image: Image (B, C, H, W), any H and W.

        Returns:
            Tokens (B, L, embed_dim) with class tokens at their places, and the grid of patches.
        """
        patches = self.patch_embed(image)
        rows, cols = patches.shape[-2:]
        tokens = patches.flatten(2).transpose(1, 2)  # (B, M, C)
        if self.cls_token is not None:
            classes = self.cls_token.expand(tokens.shape[0], -1, -1)
            tokens = insert_entries(tokens, classes, self.positions(rows * cols))
        if self.pos_embed is not None:
            position = self._fitted(self.pos_embed, grid=(rows, cols))
            tokens = self.drop_after_pos(tokens + position)
        return tokens, (rows, cols)

    def _fitted(self, position: Tensor, *, grid: tuple[int, int]) -> Tensor:
        """Resize the position embedding to a grid; entries of class tokens stay themselves."""
        if grid == self.trained_grid:
            return position
        trained = self.positions(self.trained_grid[0] * self.trained_grid[1])
        patches, classes = split_entries(position, trained)
        resized = resize_position_embedding(patches, source=self.trained_grid, target=grid)
        return insert_entries(resized, classes, self.positions(grid[0] * grid[1]))

    def rotation(self, grid: tuple[int, int], *, like: Tensor) -> Rotation | None:
        """Make the rotary embedding of a grid, or None if the network has none.

        Args:
            grid: Rows and columns of the patches.
            like: Tensor on the device and of the type wanted.

        Returns:
            Rotation of the tokens that ``embed`` returns.
        """
        if not self.config.if_rope:
            return None
        rows, cols = grid
        positions = self.positions(rows * cols)
        return rotation(self.config, rows=rows, cols=cols, positions=positions, like=like)

    def run(
        self, tokens: Tensor, turn: Rotation | None, *, keep: Collection[int] = ()
    ) -> tuple[State, dict[int, State]]:
        """Run the blocks one after the other.

        Args:
            tokens: Tokens (B, L, C).
            turn: Rotary embedding, or None.
            keep: Blocks whose state is wanted; if given, the last of them ends the run.

        Returns:
            The last state, and the states after the blocks to keep.
        """
        state, kept = State(tokens, None), {}
        for index, block in enumerate(self.layers[: max(keep) + 1] if keep else self.layers):
            state = State(*block(*self._turned(state, turn)))
            if index in keep:
                kept[index] = state
        return state, kept

    def run_pairs(self, tokens: Tensor, turn: Rotation | None) -> State:
        """Run the blocks in pairs, the second of each over the reversed tokens.

        Args:
            tokens: Tokens (B, L, C).
            turn: Rotary embedding, or None.

        Returns:
            The last state.
        """
        state = State(tokens, None)
        for index in range(0, len(self.layers), 2):
            hidden, residual = self._turned(state, turn)
            forwards = self.layers[index](hidden, residual)
            backwards = self.layers[index + 1](
                hidden.flip(1), None if residual is None else residual.flip(1)
            )
            state = State(
                *(there + back.flip(1) for there, back in zip(forwards, backwards, strict=True))
            )
        return state

    def _turned(self, state: State, turn: Rotation | None) -> State:
        """Rotate what enters a block."""
        if turn is None:
            return state
        residual = state.residual
        if residual is not None and self.config.if_rope_residual:
            residual = turn(residual)
        return State(turn(state.hidden), residual)
