"""A scene with its label raster, read by windows or from memory."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from rsmamba.classes import ClassScheme
from rsmamba.data.pairs import ScenePair
from rsmamba.errors import BandError, DataError, SceneError

# Label rasters are checked in strips of this many rows, so that their size does not matter.
_STRIP_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Pixels, validity and labels of one window.

    Attributes:
        pixels: Raw pixel values (C, height, width).
        valid: True where the image has data (height, width).
        labels: Class index or ignore index (height, width); ignore index where not valid.
    """

    pixels: NDArray[Any]
    valid: NDArray[np.bool_]
    labels: NDArray[np.uint8]


class LabelledScene:
    """An image with its label raster; labels are checked once, when it is made.

    Args:
        pair: Image and label raster.
        classes: Allowed labels.
        label_map: Label value to class index or ignore index, for values that differ.
        bidx: Bands to use, 1-based; None takes all but an alpha band.

    Raises:
        DataError: If image and label raster differ in size, the label raster has several bands or
            no integers, or it holds a value that is not allowed.
        BandError: If the image lacks a band of `bidx`.
        SceneError: If a file cannot be read.
    """

    def __init__(
        self,
        pair: ScenePair,
        *,
        classes: ClassScheme,
        label_map: dict[int, int] | None = None,
        bidx: Sequence[int] | None = None,
    ) -> None:
        self.pair = pair
        self.classes = classes
        self._label_map = dict(label_map or {})
        with _opened(pair.image) as image, _opened(pair.mask) as mask:
            self.height, self.width = int(image.height), int(image.width)
            self.bidx = _choose_bands(image, bidx)
            self.dtype = np.dtype(image.dtypes[self.bidx[0] - 1])
            _check_mask(image, mask)
        self._memory: Sample | None = None
        self.label_counts = self._count_labels()

    @property
    def name(self) -> str:
        """Name of the image without extension."""
        return self.pair.image.stem

    @property
    def memory_bytes(self) -> int:
        """Bytes that the scene takes when held in memory."""
        return self.height * self.width * (len(self.bidx) * self.dtype.itemsize + 2)

    def hold(self) -> None:
        """Read the whole scene into memory; later reads are slices of it."""
        if self._memory is None:
            self._memory = self.read(row=0, col=0, height=self.height, width=self.width)

    def read(self, *, row: int, col: int, height: int, width: int) -> Sample:
        """Read a window that lies inside the scene.

        Args:
            row: First row.
            col: First column.
            height: Rows of the window.
            width: Columns of the window.

        Returns:
            Its pixels and labels; views of the scene in memory where it is held.
        """
        if self._memory is not None:
            rows, cols = slice(row, row + height), slice(col, col + width)
            held = self._memory
            return Sample(
                pixels=held.pixels[:, rows, cols],
                valid=held.valid[rows, cols],
                labels=held.labels[rows, cols],
            )
        window = RasterioWindow(col, row, width, height)
        with _opened(self.pair.image) as image:
            pixels = image.read(list(self.bidx), window=window)
            valid = image.dataset_mask(window=window) > 0
        if pixels.dtype.kind == "f":
            valid &= np.isfinite(pixels).all(axis=0)
        labels = self._read_labels(window)
        labels[~valid] = self.classes.ignore_index
        return Sample(pixels=pixels, valid=valid, labels=labels)

    def _read_labels(self, window: RasterioWindow) -> NDArray[np.uint8]:
        """Labels of a window with the map applied, or an error that names the wrong value."""
        with _opened(self.pair.mask) as mask:
            raw = mask.read(1, window=window).astype(np.int64)
            has_label = mask.read_masks(1, window=window) > 0
        labels = np.full(raw.shape, self.classes.ignore_index, np.uint8)
        for value in np.unique(raw[has_label]):
            target = self._label_map.get(int(value), int(value))
            where = has_label & (raw == value)
            if target != self.classes.ignore_index and not 0 <= target < self.classes.num_classes:
                self._refuse(int(value), where, window)
            labels[where] = target
        return labels

    def _refuse(self, value: int, where: NDArray[np.bool_], window: RasterioWindow) -> None:
        """Raise for a label value outside the class scheme."""
        rows, cols = np.nonzero(where)
        msg = (
            f"{self.pair.mask} holds the label {value} ({rows.size} pixels, the first at row "
            f"{int(rows[0]) + window.row_off}, col {int(cols[0]) + window.col_off}); allowed are "
            f"0 to {self.classes.num_classes - 1} and the ignore index "
            f"{self.classes.ignore_index}; set data.label_map to map it"
        )
        raise DataError(msg)

    def _count_labels(self) -> NDArray[np.int64]:
        """Pixels of each class, which also checks every label."""
        counts = np.zeros(256, np.int64)
        for row in range(0, self.height, _STRIP_ROWS):
            rows = min(_STRIP_ROWS, self.height - row)
            labels = self._read_labels(RasterioWindow(0, row, self.width, rows))
            counts += np.bincount(labels.ravel(), minlength=256)
        return counts[: self.classes.num_classes]


def open_scenes(
    pairs: Sequence[ScenePair],
    *,
    classes: ClassScheme,
    label_map: dict[int, int] | None = None,
    bidx: Sequence[int] | None = None,
    cache_mb: int = 0,
) -> list[LabelledScene]:
    """Open and check scenes, and hold as many in memory as fit.

    Args:
        pairs: Images and label rasters.
        classes: Allowed labels.
        label_map: Label value to class index or ignore index, for values that differ.
        bidx: Bands to use, 1-based; None takes all but an alpha band.
        cache_mb: Memory for scenes, MiB; scenes beyond it are read by windows.

    Returns:
        The scenes in the order of the pairs.

    Raises:
        DataError: If labels are not allowed, or scenes differ in number of bands.
    """
    scenes = [
        LabelledScene(pair, classes=classes, label_map=label_map, bidx=bidx) for pair in pairs
    ]
    for scene in scenes[1:]:
        if len(scene.bidx) != len(scenes[0].bidx):
            msg = (
                f"{scene.pair.image} has {len(scene.bidx)} bands and {scenes[0].pair.image} "
                f"{len(scenes[0].bidx)}; choose the same bands of each with data.bidx"
            )
            raise DataError(msg)
    free = cache_mb * 2**20
    for scene in scenes:
        if scene.memory_bytes <= free:
            scene.hold()
            free -= scene.memory_bytes
    return scenes


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """Open a raster; plain images without a georeference are as welcome as any."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                yield dataset
    except RasterioError as error:
        msg = f"cannot read {path} as a raster: {error}"
        raise SceneError(msg) from error


def _choose_bands(image: DatasetReader, bidx: Sequence[int] | None) -> tuple[int, ...]:
    """Bands to read, all but alpha unless chosen."""
    if bidx is None:
        kinds = image.colorinterp
        return tuple(i for i in image.indexes if kinds[i - 1] != ColorInterp.alpha)
    missing = [band for band in bidx if band not in image.indexes]
    if missing or not bidx:
        msg = f"{image.name} has bands 1 to {image.count}; data.bidx asks for {list(bidx)}"
        raise BandError(msg)
    return tuple(bidx)


def _check_mask(image: DatasetReader, mask: DatasetReader) -> None:
    """Refuse label rasters that cannot be class indices of this image."""
    if (image.height, image.width) != (mask.height, mask.width):
        msg = (
            f"{mask.name} has {mask.height} x {mask.width} pixels (rows x columns) and its image "
            f"{image.height} x {image.width}; both must have the same size"
        )
        raise DataError(msg)
    if mask.count != 1 or np.dtype(mask.dtypes[0]).kind not in "iu":
        msg = (
            f"{mask.name} has {mask.count} bands of {mask.dtypes[0]}; a label raster has one band "
            "of integers, the class indices"
        )
        raise DataError(msg)
