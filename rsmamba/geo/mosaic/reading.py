"""Reading class maps: their headers, and their pixels on the grid of a mosaic.

Only GeoTIFFs are opened, and nothing beside them: a map needs no sidecar to be read.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader
from rasterio.warp import transform

from rsmamba.errors import SceneError
from rsmamba.geo.crs import same_crs
from rsmamba.geo.environment import first_cause, no_georeference_warning
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.kinds import NODATA
from rsmamba.geo.limits import check_raster
from rsmamba.geo.mosaic.lattice import Place
from rsmamba.geo.opening import read_errors
from rsmamba.geo.transform import to_map
from rsmamba.geo.window import Window

MOST_OPEN_FILES = 64
# Pixels whose coordinates are computed at a time, and pixels that are read for them.
_PIXELS_AT_ONCE = 2**17
_MOST_SOURCE_PIXELS = 2**24
# The middle of a pixel on the edge between two others belongs to the right or lower one.
_ROUNDING_SHARE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSource:
    """A map of a mosaic.

    Attributes:
        path: The class map.
        confidence: Its confidence; None where the rule has no use for it.
        grid: Its grid.
        place: Where it lies in the mosaic.
    """

    path: Path
    confidence: Path | None
    grid: GeoGrid
    place: Place


class OpenMaps:
    """Maps that stay open while they are in use, the longest unused ones closed.

    Close it at the end, as `contextlib.closing` does.

    Args:
        num_classes: Number of classes; other values are refused.
        most: Files that are open at a time, 2 or more.
    """

    def __init__(self, *, num_classes: int, most: int = MOST_OPEN_FILES) -> None:
        self._num_classes = num_classes
        self._most = most
        self._open: OrderedDict[Path, DatasetReader] = OrderedDict()

    def read(
        self, source: MapSource, window: Window, grid: GeoGrid
    ) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
        """Read what a map has in a window of the mosaic.

        Args:
            source: The map.
            window: A window of the mosaic, inside the map's.
            grid: Grid of the mosaic.

        Returns:
            Class indices (h, w) and confidence (h, w) as it is stored, or None.

        Raises:
            SceneError: If it cannot be read, or holds a value that is no class.
        """
        paths = [source.path] if source.confidence is None else [source.path, source.confidence]
        if source.place.resampled:
            read = [np.full((window.height, window.width), NODATA, dtype=np.uint8)]
            if source.confidence is not None:
                dtype = self._dataset(source.confidence).dtypes[0]
                read.append(np.zeros((window.height, window.width), dtype=dtype))
            self._read_nearest(source, paths, window, grid, read)
        else:
            own = window.shifted(rows=-source.place.window.row, cols=-source.place.window.col)
            read = [self._pixels(path, own) for path in paths]
        self._check_classes(read[0], source.path)
        return read[0], read[1] if len(read) > 1 else None

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _read_nearest(
        self,
        source: MapSource,
        paths: list[Path],
        window: Window,
        grid: GeoGrid,
        read: list[NDArray[Any]],
    ) -> None:
        """Fill arrays with the nearest pixels of a map, piece by piece."""
        step = max(_PIXELS_AT_ONCE // window.width, 1)
        for start in range(0, window.height, step):
            rows = min(step, window.height - start)
            part = Window(row=window.row + start, col=window.col, height=rows, width=window.width)
            own_rows, own_cols, inside = nearest_pixels(source, part, grid)
            targets = [array[start : start + rows] for array in read]
            self._gather(paths, own_rows, own_cols, inside, targets)

    def _gather(
        self,
        paths: list[Path],
        rows: NDArray[np.int64],
        cols: NDArray[np.int64],
        inside: NDArray[np.bool_],
        targets: list[NDArray[Any]],
    ) -> None:
        """Read the box around some pixels and pick them; a box that is too large in two halves."""
        if not inside.any():
            return
        found_rows, found_cols = rows[inside], cols[inside]
        row, col = int(found_rows.min()), int(found_cols.min())
        height, width = int(found_rows.max()) + 1 - row, int(found_cols.max()) + 1 - col
        if height * width > _MOST_SOURCE_PIXELS and inside.size > 1:
            axis = int(inside.shape[1] > inside.shape[0])
            pieces = [np.array_split(array, 2, axis) for array in (rows, cols, inside, *targets)]
            for half in (0, 1):
                some = [piece[half] for piece in pieces]
                self._gather(paths, some[0], some[1], some[2], some[3:])
            return
        box = Window(row=row, col=col, height=height, width=width)
        for path, target in zip(paths, targets, strict=True):
            target[inside] = self._pixels(path, box)[found_rows - row, found_cols - col]

    def _pixels(self, path: Path, window: Window) -> NDArray[Any]:
        dataset = self._dataset(path)
        with read_errors(path, window):
            pixels: NDArray[Any] = dataset.read(1, window=window.to_rasterio())
        return pixels

    def _dataset(self, path: Path) -> DatasetReader:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            while len(self._open) >= self._most:
                self._open.popitem(last=False)[1].close()
            self._open[path] = open_map(path)
        return self._open[path]

    def _check_classes(self, classes: NDArray[np.uint8], path: Path) -> None:
        strange = classes[(classes >= self._num_classes) & (classes != NODATA)]
        if strange.size:
            message = (
                f"class map {path} holds the value {strange[0]}, which is none of its "
                f"{self._num_classes} classes; predict it again"
            )
            raise SceneError(message)


def nearest_pixels(
    source: MapSource, window: Window, grid: GeoGrid
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Find the pixel of a map that the middle of each pixel of a mosaic lies in.

    Computed for each pixel from its own row and column, so that it does not depend on the window.

    Args:
        source: The map.
        window: A window of the mosaic.
        grid: Grid of the mosaic.

    Returns:
        Rows and columns of the map, and which of them are inside it; each (h, w).
    """
    cols, rows = np.meshgrid(
        np.arange(window.col, window.col_stop) + 0.5, np.arange(window.row, window.row_stop) + 0.5
    )
    eastings, northings = to_map(grid.transform, row=rows, col=cols)
    eastings = eastings - source.place.turn
    if grid.crs is not None and not same_crs(grid.crs, source.grid.crs):
        moved = _transformed(grid, source, eastings.ravel(), northings.ravel())
        eastings, northings = (part.reshape(rows.shape) for part in moved)
    own_cols, own_rows = to_map(~source.grid.transform, row=northings, col=eastings)
    own_cols, own_rows = (np.floor(own + _ROUNDING_SHARE) for own in (own_cols, own_rows))
    inside = (own_rows >= 0) & (own_rows < source.grid.height)
    inside &= (own_cols >= 0) & (own_cols < source.grid.width)
    own_rows[~inside] = own_cols[~inside] = 0
    return own_rows.astype(np.int64), own_cols.astype(np.int64), inside


def nearest_start(place: float) -> int:
    """Return where a map of the mosaic's resolution begins by nearest neighbour.

    Args:
        place: Where its first pixel begins, rows or columns of the mosaic.

    Returns:
        The first row or column of the mosaic whose middle is in it.

    Example:
        >>> nearest_start(2.0), nearest_start(2.4), nearest_start(2.6)
        (2, 2, 3)
    """
    return math.ceil(place - 0.5 - _ROUNDING_SHARE)


def _transformed(
    grid: GeoGrid, source: MapSource, eastings: NDArray[Any], northings: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        moved = transform(grid.crs, source.grid.crs, eastings, northings)
    except (RasterioError, CRSError, CPLE_BaseError) as error:
        message = f"class map {source.path} cannot be brought to the mosaic's CRS: "
        raise SceneError(message + first_cause(error)) from error
    places = np.array(moved, dtype=np.float64)
    # What has no coordinates there is outside of the map.
    places[:, ~np.isfinite(places).all(axis=0)] = -math.inf
    return places[0], places[1]


@contextmanager
def _alone() -> Iterator[None]:
    """Let GDAL open a file without looking for others beside it."""
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"), no_georeference_warning():
        yield


def open_map(path: Path) -> DatasetReader:
    """Open a class map, or its confidence.

    Args:
        path: A GeoTIFF.

    Returns:
        The open dataset, with one band.

    Raises:
        SceneError: If it cannot be opened, is no GeoTIFF of one band, or claims an absurd size.
    """
    try:
        with _alone():
            dataset = rasterio.open(path.absolute(), driver="GTiff")
    except (RasterioError, CPLE_BaseError) as error:
        message = f"class map {path} cannot be read: {first_cause(error)}; predict it again"
        raise SceneError(message) from error
    try:
        _check_map(dataset, path)
    except SceneError:
        dataset.close()
        raise
    return dataset


def _check_map(dataset: DatasetReader, path: Path) -> None:
    if dataset.count != 1:
        message = f"{path} has {dataset.count} bands; a class map has one"
        raise SceneError(message)
    check_raster(dataset, path)
