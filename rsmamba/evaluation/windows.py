"""Squares that cover a raster once, and the same with a halo around them."""

from collections.abc import Iterator

from rsmamba.errors import OptionError
from rsmamba.geo.window import Window

# Windows are read at about this side, so that memory does not depend on the raster.
READ_SIDE = 1024


def squares(*, height: int, width: int, side: int) -> Iterator[Window]:
    """Cut a raster into squares; those at the right and lower edge are smaller.

    Args:
        height: Rows of the raster.
        width: Columns of the raster.
        side: Side of a square, pixels.

    Yields:
        Windows row by row; every pixel lies in exactly one.

    Example:
        >>> [window.width for window in squares(height=3, width=8, side=3)]
        [3, 3, 2]
    """
    for row in range(0, height, side):
        for col in range(0, width, side):
            yield Window(
                row=row, col=col, height=min(side, height - row), width=min(side, width - col)
            )


def read_side(tile: int) -> int:
    """Return the side of the windows to read, a multiple of the tiles that are counted.

    Args:
        tile: Side of a counted tile, pixels.

    Returns:
        The side, pixels.

    Raises:
        OptionError: If the tile is outside 16 to 8192.
    """
    if not 16 <= tile <= 8192:
        message = f"tile of {tile} px is not possible; give 16 to 8192, such as 256"
        raise OptionError(message)
    return max(1, READ_SIDE // tile) * tile


def with_halo(window: Window, *, halo: int, height: int, width: int) -> Window:
    """Grow a window on all sides, as far as the raster reaches.

    Args:
        window: The window.
        halo: Pixels to add on each side.
        height: Rows of the raster.
        width: Columns of the raster.

    Returns:
        The larger window.
    """
    row, col = max(window.row - halo, 0), max(window.col - halo, 0)
    return Window(
        row=row,
        col=col,
        height=min(window.row_stop + halo, height) - row,
        width=min(window.col_stop + halo, width) - col,
    )
