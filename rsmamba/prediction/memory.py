"""How much memory a prediction takes, and how it is cut to stay within a limit."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import psutil

from rsmamba.errors import OptionError
from rsmamba.geo.canvas import strip_dtype
from rsmamba.geo.environment import CACHE_BYTES
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window

# Batches that wait between reading and computing, and between computing and blending.
READ_AHEAD = 2
WRITE_BEHIND = 1
# Output blocks of this many columns are stored whole.
_BLOCK_COLS = 512
_OUTPUT_BLOCK_ROWS = 64
# What a network holds at once is not known before it runs; 256 float32 channels a pixel are ample
# for a network of a few million parameters.
_NETWORK_BYTES_PER_PIXEL = 1024
_MOST_TILES_A_BATCH = 16
_ACCELERATOR_SHARE = 0.5
_SHARE_OF_AVAILABLE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCost:
    """What a prediction holds in memory at once, as far as its options tell.

    Attributes:
        fixed_bytes: What does not depend on the width: caches, waiting tiles, the network.
        column_bytes: What each column of the part that is computed in one pass adds.
    """

    fixed_bytes: int
    column_bytes: int

    @classmethod
    def of(
        cls,
        tiles: TileGrid,
        *,
        num_bands: int,
        num_classes: int,
        source_dtype: str,
        batch_size: int,
        num_outputs: int = 1,
    ) -> Self:
        """Count the buffers of the engine.

        Args:
            tiles: The tiles.
            num_bands: Bands that are read.
            num_classes: Classes that are scored.
            source_dtype: NumPy name of the type that is read.
            batch_size: Tiles of a batch.
            num_outputs: Bands of all output rasters together.

        Returns:
            The cost.
        """
        tile_pixels = tiles.tile_height * tiles.tile_width
        input_bytes = batch_size * tile_pixels * (4 * num_bands + 2)
        score_bytes = batch_size * tile_pixels * (4 * num_classes + 1)
        held = (
            CACHE_BYTES,
            (READ_AHEAD + 2) * input_bytes,
            (WRITE_BEHIND + 2) * score_bytes,
            tile_pixels * _NETWORK_BYTES_PER_PIXEL,
        )
        canvas = tiles.tile_height * (num_classes * strip_dtype(tiles).itemsize + 1)
        # A strip is held while the next one is read.
        strip = 2 * tiles.tile_height * (num_bands * np.dtype(source_dtype).itemsize + 2)
        output = 2 * _OUTPUT_BLOCK_ROWS * num_outputs
        return cls(fixed_bytes=sum(held), column_bytes=canvas + strip + output)

    def scaled(self, columns: float) -> "MemoryCost":
        """Return the cost by columns of another grid.

        Args:
            columns: Columns of this cost that one column of the other grid has.

        Returns:
            The cost.
        """
        return replace(self, column_bytes=math.ceil(self.column_bytes * columns))

    def total_bytes(self, width: int) -> int:
        """Return the memory of a pass over some columns.

        Args:
            width: Columns, pixels.

        Returns:
            Bytes above what the process holds before.
        """
        return self.fixed_bytes + width * self.column_bytes


def memory_limit(given: int | None) -> int:
    """Return how much memory a prediction may take.

    Args:
        given: The option, bytes; None takes a quarter of what is available now.

    Returns:
        Bytes above what the process holds already.
    """
    return given or int(psutil.virtual_memory().available * _SHARE_OF_AVAILABLE)


def choose_batch_size(given: int | None, device: str, tiles: TileGrid) -> int:
    """Return how many tiles the network computes at once.

    Args:
        given: The option; None chooses.
        device: Where the network computes: "cpu", "cuda:0", "mps".
        tiles: The tiles.

    Returns:
        The option if given; 1 on the CPU, where batches gain nothing; else up to 16 by the
        accelerator's free memory.
    """
    if given is not None:
        return given
    if device == "cpu":
        return 1
    if not device.startswith("cuda"):
        return 4
    import torch  # noqa: PLC0415 - a plan for the CPU does without

    free_bytes, _ = torch.cuda.mem_get_info(device)
    tile_bytes = tiles.tile_height * tiles.tile_width * 4 * _NETWORK_BYTES_PER_PIXEL
    fitting = int(free_bytes * _ACCELERATOR_SHARE) // tile_bytes
    return min(max(fitting, 1), _MOST_TILES_A_BATCH)


def column_blocks(
    region: Window, tiles: TileGrid, *, cost: MemoryCost, limit_bytes: int
) -> list[Window]:
    """Cut a region into blocks of columns, so that one pass over each stays within a limit.

    Args:
        region: The wanted part of the scene.
        tiles: The tiles.
        cost: What a pass takes.
        limit_bytes: Memory to stay within.

    Returns:
        Windows side by side, from left to right; one if everything fits.

    Raises:
        OptionError: If not even the narrowest block fits.
    """
    # A tile that reaches over a block's edge is read and computed for both blocks.
    surplus = 2 * tiles.tile_width
    if cost.total_bytes(region.width) <= limit_bytes:
        return [region]
    affordable = (limit_bytes - cost.fixed_bytes) // cost.column_bytes - surplus
    width = affordable // _BLOCK_COLS * _BLOCK_COLS
    if width < _BLOCK_COLS:
        needed = cost.total_bytes(min(_BLOCK_COLS + surplus, region.width))
        message = (
            f"mem_limit {limit_bytes / 2**20:.0f} MiB is too little; give at least "
            f"{needed / 2**20 + 1:.0f} MiB, or a smaller tile or batch size"
        )
        raise OptionError(message)
    return list(_side_by_side(region, width))


def _side_by_side(region: Window, width: int) -> Iterator[Window]:
    for col in range(region.col, region.col_stop, width):
        yield Window(
            row=region.row,
            col=col,
            height=region.height,
            width=min(width, region.col_stop - col),
        )
