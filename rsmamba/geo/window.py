"""Windows: rectangles of a scene in pixels."""

from dataclasses import dataclass
from typing import Self

from rasterio.windows import Window as RasterioWindow

from rsmamba.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of whole pixels; row 0, col 0 is the scene's first pixel.

    Attributes:
        row: First row, pixels.
        col: First column, pixels.
        height: Number of rows, pixels, not negative.
        width: Number of columns, pixels, not negative.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Check the sides.

        Raises:
            OptionError: If a side is negative.
        """
        if self.height < 0 or self.width < 0:
            message = (
                f"a window cannot be {self.width} px wide and {self.height} px high; "
                "give sides of zero or more"
            )
            raise OptionError(message)

    @property
    def row_stop(self) -> int:
        """First row below the window."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """First column right of the window."""
        return self.col + self.width

    @property
    def num_pixels(self) -> int:
        """Number of pixels in the window."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row slice and column slice, to index an array of the whole scene."""
        return slice(self.row, self.row_stop), slice(self.col, self.col_stop)

    def intersection(self, other: "Window") -> "Window | None":
        """Return the part that both windows share.

        Args:
            other: The other window.

        Returns:
            The shared window, or None when not one pixel is shared.

        Example:
            >>> left = Window(row=0, col=0, height=4, width=4)
            >>> left.intersection(Window(row=1, col=3, height=9, width=9))
            Window(row=1, col=3, height=3, width=1)
        """
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.row_stop, other.row_stop) - row
        width = min(self.col_stop, other.col_stop) - col
        if height <= 0 or width <= 0:
            return None
        return Window(row=row, col=col, height=height, width=width)

    def contains(self, other: "Window") -> bool:
        """Say whether the other window lies wholly inside this one.

        Args:
            other: The other window.

        Returns:
            True if no pixel of the other window is outside.
        """
        return (
            self.row <= other.row
            and self.col <= other.col
            and other.row_stop <= self.row_stop
            and other.col_stop <= self.col_stop
        )

    def shifted(self, *, rows: int = 0, cols: int = 0) -> "Window":
        """Return the window moved down and right.

        Args:
            rows: Pixels to move down; negative moves up.
            cols: Pixels to move right; negative moves left.

        Returns:
            A window of the same size.
        """
        return Window(
            row=self.row + rows, col=self.col + cols, height=self.height, width=self.width
        )

    def to_rasterio(self) -> RasterioWindow:
        """Return the window as rasterio spells it: columns before rows.

        Returns:
            The rasterio window.
        """
        return RasterioWindow(
            col_off=self.col, row_off=self.row, width=self.width, height=self.height
        )

    @classmethod
    def from_rasterio(cls, window: RasterioWindow) -> Self:
        """Read a rasterio window, with fractions of a pixel rounded to the nearest whole one.

        Args:
            window: The rasterio window.

        Returns:
            The window.
        """
        row, col = round(window.row_off), round(window.col_off)
        return cls(
            row=row,
            col=col,
            height=round(window.row_off + window.height) - row,
            width=round(window.col_off + window.width) - col,
        )
