"""Resampling: a scene seen at the model's ground sample distance, and its map brought back.

Axes: C bands or K classes, then rows, then columns. "Fine" is the grid of the scene, "work" the
grid that the network sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine

from rsmamba.errors import OptionError
from rsmamba.geo.canvas import FinishedRows
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.scene import Pixels, Scene
from rsmamba.geo.window import Window
from rsmamba.prediction.region import Region

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
# Pixels of the scene that are read at a time.
_PIXELS_AT_ONCE = 2**22
_ROWS_AT_ONCE = 64
# Below this the two grids are as good as one.
_SAME_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a scene in two samplings of the same extent.

    Attributes:
        fine: Pixels of the scene.
        work: Pixels that the network sees.
    """

    fine: int
    work: int

    def taps(self, start: int, stop: int) -> "Taps":
        """Return how work pixels are made of the scene's pixels.

        Args:
            start: First work pixel.
            stop: Work pixel after the last.

        Returns:
            Places and shares.
        """
        step = self.fine / self.work
        # A triangle that widens with the step: linear between pixels, an average over many.
        reach = max(step, 1.0)
        centres = ((np.arange(start, stop) + 0.5) * step)[:, None]
        firsts = np.maximum(np.floor(centres - reach).astype(np.int64), 0)
        places = firsts + np.arange(int(np.ceil(2 * reach)) + 2)
        raw = np.maximum(1 - np.abs(places + 0.5 - centres) / reach, 0)
        raw[places >= self.fine] = 0
        return Taps(
            places=np.minimum(places, self.fine - 1),
            shares=(raw / raw.sum(axis=1, keepdims=True)).astype(np.float32),
        )

    def nearest(self, start: int, stop: int) -> IntArray:
        """Return the work pixel that each pixel of the scene lies in.

        Args:
            start: First pixel of the scene.
            stop: Pixel of the scene after the last.

        Returns:
            Work pixels, never decreasing.
        """
        places = (np.arange(start, stop) + 0.5) * (self.work / self.fine)
        return np.minimum(places.astype(np.int64), self.work - 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """Pixels of the scene that make up each of n work pixels along an axis.

    Attributes:
        places: Pixels of the scene (n, taps).
        shares: Their shares (n, taps), summing to 1.
    """

    places: IntArray
    shares: FloatArray

    @property
    def first(self) -> int:
        """First pixel of the scene that is needed."""
        return int(self.places.min())

    @property
    def stop(self) -> int:
        """Pixel of the scene after the last that is needed."""
        return int(self.places.max()) + 1

    def apply(self, lines: npt.NDArray[Any]) -> FloatArray:
        """Make work lines of the scene's lines.

        Args:
            lines: Lines ``first`` to ``stop`` of the scene, each along the second axis.

        Returns:
            Weighted sums (n, length of a line).
        """
        total = np.zeros((len(self.places), lines.shape[1]), dtype=np.float32)
        for places, shares in zip(self.places.T - self.first, self.shares.T, strict=True):
            total += shares[:, None] * lines[places]
        return total


class ResampledScene:
    """A scene as the network shall see it: same extent, another ground sample distance.

    Args:
        scene: The open scene.
        gsd_m: Ground sample distance to see it at, metres.

    Attributes:
        scene: The open scene.
        grid: Grid that the network sees.
        rows: Rows of both grids.
        cols: Columns of both grids.
        num_bands: Bands that a read returns.
        dtype: Type that a read returns.

    Raises:
        OptionError: If the ground sample distance of the scene is not known.
    """

    def __init__(self, scene: Scene, *, gsd_m: float) -> None:
        if scene.grid.gsd_m is None:
            message = (
                f"{scene.name} has no known ground sample distance to resample from; "
                "give a scene with a CRS and a transform, or leave resample out"
            )
            raise OptionError(message)
        scale = scene.grid.gsd_m / gsd_m
        self.scene = scene
        self.rows = Axis(fine=scene.grid.height, work=max(round(scene.grid.height * scale), 1))
        self.cols = Axis(fine=scene.grid.width, work=max(round(scene.grid.width * scale), 1))
        self.grid = _coarser(scene.grid, height=self.rows.work, width=self.cols.work)
        self.num_bands = scene.num_bands
        self.dtype = "float32"

    def read(self, window: Window) -> Pixels:
        """Read pixels of the work grid, averaged or interpolated over valid pixels of the scene.

        Args:
            window: What to read, in work pixels.

        Returns:
            Values (C, h, w), and True where any valid pixel of the scene contributes (h, w).
        """
        values = np.empty((self.num_bands, window.height, window.width), dtype=np.float32)
        valid = np.empty((window.height, window.width), dtype=np.bool_)
        across = self.cols.taps(window.col, window.col_stop)
        for rows in self._row_groups(window):
            place = slice(rows.start - window.row, rows.stop - window.row)
            self._read_rows(rows, across, values=values[:, place], valid=valid[place])
        return Pixels(values=values, valid=valid)

    def work_window(self, window: Window) -> Window:
        """Return the work pixels that a part of the scene lies in.

        Args:
            window: The part, in pixels of the scene.

        Returns:
            The window in work pixels.
        """
        rows = self.rows.nearest(window.row, window.row_stop)
        cols = self.cols.nearest(window.col, window.col_stop)
        row, col = int(rows[0]), int(cols[0])
        return Window(
            row=row, col=col, height=int(rows[-1]) - row + 1, width=int(cols[-1]) - col + 1
        )

    def _row_groups(self, window: Window) -> Iterator[range]:
        fine_width = window.width * self.cols.fine / self.cols.work
        fine_rows = max(_PIXELS_AT_ONCE / fine_width, 1)
        step = max(int(fine_rows * self.rows.work / self.rows.fine), 1)
        for start in range(window.row, window.row_stop, step):
            yield range(start, min(start + step, window.row_stop))

    def _read_rows(
        self,
        rows: range,
        across: Taps,
        *,
        values: FloatArray,
        valid: npt.NDArray[np.bool_],
    ) -> None:
        down = self.rows.taps(rows.start, rows.stop)
        pixels = self.scene.read(
            Window(
                row=down.first,
                col=across.first,
                height=down.stop - down.first,
                width=across.stop - across.first,
            )
        )
        total = across.apply(down.apply(pixels.valid).T)  # (w, h)
        valid[:] = (total > 0).T
        total[total == 0] = 1
        for band, target in zip(pixels.values, values, strict=True):
            # Invalid pixels are zero in what a scene returns, so they add nothing.
            target[:] = (across.apply(down.apply(band).T) / total).T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Remapper:
    """Brings finished rows of the work grid to the grid of the scene, by nearest neighbour.

    Attributes:
        source: The resampled scene.
        region: The wanted part of the scene.
        block: The columns of the scene that this pass makes.
    """

    source: ResampledScene
    region: Region
    block: Window

    def remapped(self, finished: FinishedRows) -> Iterator[FinishedRows]:
        """Yield the rows of the scene that lie in finished rows of the work grid.

        Args:
            finished: Rows of the work grid.

        Yields:
            Rows of the scene, a few at a time; their mask is the scene's own.
        """
        work_rows = self.source.rows.nearest(self.block.row, self.block.row_stop)
        work_cols = self.source.cols.nearest(self.block.col, self.block.col_stop)
        ends = (finished.window.row, finished.window.row_stop)
        first, last = (int(place) for place in np.searchsorted(work_rows, ends))
        cols = work_cols - finished.window.col
        for start in range(first, last, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, last)
            rows = work_rows[start:stop] - finished.window.row
            window = Window(
                row=self.block.row + start,
                col=self.block.col,
                height=stop - start,
                width=self.block.width,
            )
            yield FinishedRows(
                window=window,
                scores=finished.scores[:, rows[:, None], cols],
                valid=finished.valid[rows[:, None], cols] & self._valid(window),
            )

    def _valid(self, window: Window) -> npt.NDArray[np.bool_]:
        valid = self.source.scene.read_valid(window)
        inside = self.region.wanted(window)
        return valid if inside is None else valid & inside


def resampled(scene: Scene, *, gsd_m: float | None) -> ResampledScene | None:
    """See a scene at a model's ground sample distance.

    Args:
        scene: The open scene.
        gsd_m: The model's ground sample distance, metres; None if unknown.

    Returns:
        The resampled scene; None if the scene has that distance already.

    Raises:
        OptionError: If one of the two distances is not known.
    """
    if gsd_m is None:
        message = "the model has no ground sample distance to resample to; leave resample out"
        raise OptionError(message)
    result = ResampledScene(scene, gsd_m=gsd_m)
    steps = (axis.work / axis.fine for axis in (result.rows, result.cols))
    return None if all(abs(step - 1) < _SAME_SHARE for step in steps) else result


def _coarser(grid: GeoGrid, *, height: int, width: int) -> GeoGrid:
    along, down = grid.width / width, grid.height / height
    old = grid.transform
    transform = Affine(old.a * along, old.b * down, old.c, old.d * along, old.e * down, old.f)
    return replace(grid, height=height, width=width, transform=transform)
