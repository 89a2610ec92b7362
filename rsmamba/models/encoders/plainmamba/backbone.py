"""What PlainMamba's classifier and dense form share: patches, position, blocks."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from rsmamba.models.encoders.plainmamba.block import Block, ConvPatchEmbed
from rsmamba.models.encoders.plainmamba.config import Config
from rsmamba.models.encoders.plainmamba.kept import KeptGrid, keep_of_grid
from rsmamba.models.encoders.plainmamba.mixer import Scanned
from rsmamba.models.encoders.plainmamba.snake import SnakeGrid, snake_grid
from rsmamba.models.layers.drop_path import linear_rates
from rsmamba.models.layers.position import resize_position_embedding
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.tokens import KeptTokens, Selection, prune

FINAL_NORM_EPS = 1e-6


class Backbone(nn.Module):
    """Patches, position embedding, blocks and final norm under their official names.

    Attributes:
        trained_grid: Rows and columns of the grid that the position embedding is made for.
        pruning: Where tokens are dropped, or None; may be changed between two images.
        layers: The blocks; each maps tokens (B, L, C) and their grid to tokens.
        ln1: Norm of the tokens after the last block.

    Args:
        config: Size and choices of the network.
        in_channels: Bands of the image.
    """

    def __init__(self, config: Config, *, in_channels: int) -> None:
        super().__init__()
        # The official stem halves an odd side downwards when it sizes the embedding.
        rows, cols = (-(-(side // 2) // (config.patch_size // 2)) for side in config.image_sides)
        self.trained_grid = (rows, cols)
        self.pruning: PruningConfig | None = config.pruning
        self.kernel = config.conv_size
        dim = config.embed_dims
        self.patch_embed = ConvPatchEmbed(config, in_channels=in_channels)
        self.pos_embed: nn.Parameter | None = None
        if config.with_pos_embed:
            self.pos_embed = nn.Parameter(torch.empty(1, rows * cols, dim))
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.drop_after_pos = nn.Dropout(config.drop_rate)
        rates = linear_rates(config.drop_path_rate, config.num_layers)
        self.layers = nn.ModuleList(
            Block(config, with_dwconv=index in config.layers_with_dwconv, drop_path=rate)
            for index, rate in enumerate(rates)
        )
        self.ln1 = nn.LayerNorm(dim, eps=FINAL_NORM_EPS) if config.final_norm else nn.Identity()
        self.apply(_initialise)

    def embed(self, image: Tensor) -> tuple[Tensor, SnakeGrid]:
        """Cut an image into tokens with their positions.

        Args:
            image: Image (B, C, H, W), any H and W.

        Returns:
            Tokens (B, L, embed_dims) in raster order, and their grid.
        """
        patches = self.patch_embed(image)
        height, width = patches.shape[-2:]
        tokens = patches.flatten(2).transpose(1, 2)  # (B, L, C)
        if self.pos_embed is not None:
            tokens = tokens + resize_position_embedding(
                self.pos_embed, source=self.trained_grid, target=(height, width)
            )
        grid = snake_grid(height, width, device=image.device)
        return self.drop_after_pos(tokens), grid

    def run(
        self, tokens: Tensor, grid: SnakeGrid, *, keep: Collection[int] = ()
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Run the blocks, and drop tokens between them if the network does.

        Args:
            tokens: Tokens (B, L, C) in raster order.
            grid: Their grid.
            keep: Blocks whose tokens are wanted; if given, the last of them ends the run.

        Returns:
            The tokens that are left at the end, (B, n, C), and all tokens (B, L, C) after the
            blocks to keep, where a dropped token has the value it had when it was dropped.
        """
        place: SnakeGrid | KeptGrid = grid
        kept: KeptTokens | None = None
        full, wanted = tokens, {}
        for index, block in enumerate(self.layers[: max(keep) + 1] if keep else self.layers):
            tokens, scanned = block(tokens, place)
            if index in keep:
                wanted[index] = tokens if kept is None else kept.put_into(full, tokens)
            selection = self._prune(scanned, kept, after=index + 1)
            if selection is not None and self.pruning is not None:
                full = tokens if kept is None else kept.put_into(full, tokens)
                kept, tokens = selection.kept, selection.among.of(tokens)
                place = keep_of_grid(
                    grid, kept, kernel=self.kernel, alignment=self.pruning.alignment
                )
        return tokens, wanted

    def _prune(self, scanned: Scanned, kept: KeptTokens | None, *, after: int) -> Selection | None:
        """Choose the tokens that stay after a layer, or None if all do."""
        config = self.pruning
        if config is None or after not in config.layers:
            return None
        return prune(scanned.gated() if config.gated else scanned.y, kept, config=config)


def _initialise(module: nn.Module) -> None:
    """Start as the released training does, which overwrites Mamba's own first step sizes."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
