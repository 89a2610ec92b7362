"""Tile grids: the overlapping windows that a scene is predicted in."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rsmamba.errors import OptionError
from rsmamba.geo.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class TileGrid:
    """Overlapping tiles that cover a scene; all of them have one shape.

    The last tile of each axis is pulled back to end at the scene's edge, so that the network meets
    the scene's frame as in one pass over the whole scene. A side shorter than the tile is covered
    by one tile of its own length.

    Attributes:
        height: Rows of the scene, pixels.
        width: Columns of the scene, pixels.
        tile: Side of a tile, pixels.
        overlap: Pixels that two neighbouring tiles share, 0 to ``tile - 1``.
        row_starts: First row of each tile row, increasing.
        col_starts: First column of each tile column, increasing.

    Example:
        >>> TileGrid(height=300, width=1000, tile=512, overlap=64).col_starts
        (0, 448, 488)
    """

    height: int
    width: int
    tile: int
    overlap: int
    row_starts: tuple[int, ...] = field(init=False, repr=False)
    col_starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the fields and lay the tiles out.

        Raises:
            OptionError: If a side or the tile is below 1, or the overlap does not fit the tile.
        """
        if self.height < 1 or self.width < 1:
            message = (
                f"a scene of {self.width} x {self.height} px cannot be tiled; "
                "give sides of at least 1 px"
            )
            raise OptionError(message)
        check_tile(self.tile, overlap=self.overlap)
        object.__setattr__(self, "row_starts", _starts(self.height, self.tile, self.overlap))
        object.__setattr__(self, "col_starts", _starts(self.width, self.tile, self.overlap))

    @property
    def tile_height(self) -> int:
        """Rows of every tile, pixels."""
        return min(self.tile, self.height)

    @property
    def tile_width(self) -> int:
        """Columns of every tile, pixels."""
        return min(self.tile, self.width)

    @property
    def num_rows(self) -> int:
        """Number of tile rows."""
        return len(self.row_starts)

    @property
    def num_cols(self) -> int:
        """Number of tile columns."""
        return len(self.col_starts)

    def __len__(self) -> int:
        """Return the number of tiles."""
        return self.num_rows * self.num_cols

    @property
    def scene_window(self) -> Window:
        """The window of the whole scene."""
        return Window(row=0, col=0, height=self.height, width=self.width)

    def window(self, row_index: int, col_index: int) -> Window:
        """Return one tile's window.

        Args:
            row_index: Tile row, 0 to ``num_rows - 1``.
            col_index: Tile column, 0 to ``num_cols - 1``.

        Returns:
            The window, wholly inside the scene.
        """
        return Window(
            row=self.row_starts[row_index],
            col=self.col_starts[col_index],
            height=self.tile_height,
            width=self.tile_width,
        )

    def windows(self) -> Iterator[Window]:
        """Walk over all tiles, row by row.

        Yields:
            The windows.
        """
        for row_index in range(self.num_rows):
            for col_index in range(self.num_cols):
                yield self.window(row_index, col_index)


def check_tile(tile: int, *, overlap: int) -> None:
    """Check that a tile size and an overlap go together.

    Args:
        tile: Side of a tile, pixels.
        overlap: Pixels that two neighbouring tiles share.

    Raises:
        OptionError: If the tile is below 1 or the overlap is not in 0 to ``tile - 1``.
    """
    if tile < 1:
        message = f"tile {tile} is not a size; give at least 1 px, such as 512"
        raise OptionError(message)
    if overlap < 0:
        message = f"overlap {overlap} is negative; give 0 to {tile - 1} px"
        raise OptionError(message)
    if overlap >= tile:
        message = (
            f"overlap {overlap} does not fit a tile of {tile} px; "
            f"give an overlap of 0 to {tile - 1} px or a larger tile"
        )
        raise OptionError(message)


def _starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    if length <= tile:
        return (0,)
    last = length - tile
    return (*range(0, last, tile - overlap), last)
