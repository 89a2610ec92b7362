"""What ViM's classifier and dense form share: patches, position, blocks."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rsmamba.models.encoders.vim.block import Block, PatchEmbed, patches_along
from rsmamba.models.encoders.vim.config import Config
from rsmamba.models.encoders.vim.gaps import gaps_of
from rsmamba.models.encoders.vim.mixer import Scanned
from rsmamba.models.encoders.vim.sequence import (
    Rotation,
    class_positions,
    insert_entries,
    rotation,
    split_entries,
)
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.position import resize_position_embedding
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.tokens import KeptTokens, Selection, prune


class State(NamedTuple):
    """What a block hands to the next.

    Attributes:
        hidden: Output of the last mixer, (B, L, C).
        residual: Sum of everything before it, (B, L, C), or None before the first block.
    """

    hidden: Tensor
    residual: Tensor | None


class FullState(NamedTuple):
    """The state of all tokens after a block; a dropped one has what it had when it was dropped.

    Attributes:
        hidden: Output of the mixer, (B, L, C).
        residual: Sum of everything before it, (B, L, C); of a dropped token with its last mixer.
        total: Both together, (B, L, C).
    """

    hidden: Tensor
    residual: Tensor
    total: Tensor


class End(NamedTuple):
    """The state of the tokens that are left after the last block.

    Attributes:
        hidden: Output of the last mixer, (B, n, C).
        residual: Sum of everything before it, (B, n, C), or None without blocks.
        kept: Which tokens these are, or None for all.
    """

    hidden: Tensor
    residual: Tensor | None
    kept: KeptTokens | None = None


class Backbone(nn.Module):
    """Patches, class tokens, position embedding and blocks under their official names.

    Attributes:
        trained_grid: Rows and columns of the grid that the position embedding is made for.
        pruning: Where tokens are dropped, or None; may be changed between two images.
        layers: The blocks; each maps (hidden, residual) to the same.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
        class_tokens: Whether class tokens are part of the sequence, if the network has any.
    """

    def __init__(self, config: Config, *, in_channels: int, class_tokens: bool) -> None:
        super().__init__()
        self.config = config
        self.pruning: PruningConfig | None = config.pruning
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
        self,
        tokens: Tensor,
        turn: Rotation | None,
        *,
        keep: Collection[int] = (),
        always: Sequence[int] = (),
    ) -> tuple[End, dict[int, FullState]]:
        """Run the blocks one after the other, and drop tokens between them if the network does.

        Args:
            tokens: Tokens (B, L, C).
            turn: Rotary embedding, or None.
            keep: Blocks whose state is wanted; if given, the last of them ends the run.
            always: Places of class tokens, which are not dropped.

        Returns:
            The state of what is left at the end, and that of all tokens after the blocks to keep.
        """
        state, full, wanted = State(tokens, None), None, {}
        kept, gaps, turned = None, None, turn
        for index, block in enumerate(self.layers[: max(keep) + 1] if keep else self.layers):
            hidden, residual, scanned = block(*self._turned(state, turned), gaps)
            state = State(hidden, residual)
            if index in keep:
                wanted[index] = _restored(hidden, residual, kept=kept, full=full)
            selection = self._prune(scanned, kept, after=index + 1, always=always)
            if selection is not None and self.pruning is not None:
                full = _restored(hidden, residual, kept=kept, full=full) if keep else None
                kept = selection.kept
                state = State(*(selection.among.of(tensor) for tensor in (hidden, residual)))
                gaps = gaps_of(kept, alignment=self.pruning.alignment)
                turned = None if turn is None else turn.at(kept.index)
        return End(*state, kept), wanted

    def _prune(
        self, scanned: Scanned, kept: KeptTokens | None, *, after: int, always: Sequence[int]
    ) -> Selection | None:
        """Choose the tokens that stay after a layer, or None if all do."""
        config = self.pruning
        if config is None or after not in config.layers:
            return None
        scored = scanned.of(config.score_source)
        if config.gated:
            scored = scored * functional.silu(scanned.z)
        return prune(scored, kept, config=config, always=always)

    def run_pairs(self, tokens: Tensor, turn: Rotation | None) -> End:
        """Run the blocks in pairs, the second of each over the reversed tokens.

        Args:
            tokens: Tokens (B, L, C).
            turn: Rotary embedding, or None.

        Returns:
            The state at the end.
        """
        state = State(tokens, None)
        for index in range(0, len(self.layers), 2):
            hidden, residual = self._turned(state, turn)
            *forwards, _ = self.layers[index](hidden, residual)
            *backwards, _ = self.layers[index + 1](
                hidden.flip(1), None if residual is None else residual.flip(1)
            )
            state = State(
                *(there + back.flip(1) for there, back in zip(forwards, backwards, strict=True))
            )
        return End(*state)

    def _turned(self, state: State, turn: Rotation | None) -> State:
        """Rotate what enters a block."""
        if turn is None:
            return state
        residual = state.residual
        if residual is not None and self.config.if_rope_residual:
            residual = turn(residual)
        return State(turn(state.hidden), residual)


def _restored(
    hidden: Tensor, residual: Tensor, *, kept: KeptTokens | None, full: FullState | None
) -> FullState:
    """Return the state of all tokens, from that of those in use and of all before."""
    total = residual + hidden
    if kept is None or full is None:
        return FullState(hidden, residual, total)
    # What a dropped token has is final: its last mixer belongs to the sum.
    return FullState(
        hidden=kept.put_into(full.hidden, hidden),
        residual=kept.put_into(full.total, residual),
        total=kept.put_into(full.total, total),
    )
