"""A scene with its label raster, read by windows or from memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.data.labels import LabelOptions, open_labels
from rsmamba.data.pairs import ScenePair
from rsmamba.errors import DataError
from rsmamba.geo.painted import strips
from rsmamba.geo.stack import RasterPart, SceneStack
from rsmamba.geo.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Pixels, validity and labels of one window.

    Attributes:
        pixels: Raw pixel values (C, height, width); 0 where not valid.
        valid: True where the image has data (height, width).
        labels: Class index or ignore index (height, width); ignore index where not valid.
    """

    pixels: NDArray[Any]
    valid: NDArray[np.bool_]
    labels: NDArray[np.uint8]


class LabelledScene:
    """An image with its label raster; labels are checked once, when it is made.

    Args:
        pair: Image and label raster, and which of their rows are used.
        classes: Allowed labels.
        label_map: Label value to class index or ignore index, for values that differ.
        bidx: Bands of the image to use, 1-based; None takes those of the pair, or all but an alpha
            band.
        labels: How labels are written; None for class indices.

    Attributes:
        pair: Image and labels.
        classes: Allowed labels.
        first_row: First row of the image that is used.
        height: Rows that are used.
        width: Columns.
        bidx: Bands of the image file that are used, 1-based.
        reads_indices: True if the image has a colour table and its indices are read as numbers.
        num_bands: Bands of the image and of what is stacked on it.
        dtype: Type of the pixels.
        label_counts: Pixels of each class (classes,) where the image is valid.

    Raises:
        DataError: If image and label raster differ in size, the label raster has several bands or
            no integers, or it holds a value that is not allowed.
        GridMismatchError: If both have a transform and the transforms differ.
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
        labels: LabelOptions | None = None,
    ) -> None:
        self.pair = pair
        self.classes = classes
        self._label_map = dict(label_map or {})
        chosen = pair.bidx if bidx is None else tuple(bidx)
        self._parts = (RasterPart(path=pair.image, bidx=chosen), *pair.stacked)
        with SceneStack.open(self._parts) as image:
            first, last = (round(share * image.grid.height) for share in pair.rows)
            self.first_row = first
            self.height, self.width = last - first, image.grid.width
            self.bidx = image.scenes[0].bidx
            self.reads_indices = chosen is None and image.scenes[0].colours[0] == "palette"
            self.num_bands = image.num_bands
            self.dtype = np.dtype(image.dtype)
            self._labels = open_labels(pair.mask, image.scenes[0], labels or LabelOptions())
        if self.height < 1:
            msg = f"{pair.image} is too low to be cut in two; change data.validation_share"
            raise DataError(msg)
        self._memory: Sample | None = None
        self.label_counts = self._count_labels()

    @property
    def name(self) -> str:
        """Name of the image without extension."""
        return self.pair.image.stem

    @property
    def memory_bytes(self) -> int:
        """Bytes that the scene takes when held in memory."""
        return self.height * self.width * (self.num_bands * self.dtype.itemsize + 2)

    @property
    def is_held(self) -> bool:
        """True once the scene is in memory."""
        return self._memory is not None

    def hold(self) -> None:
        """Read the whole scene into memory; later reads are slices of it."""
        if self._memory is None:
            self._memory = self.read(row=0, col=0, height=self.height, width=self.width)

    def read(self, *, row: int, col: int, height: int, width: int) -> Sample:
        """Read a window that lies inside the rows that are used.

        Args:
            row: First row, counted from the first that is used.
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
        window = Window(row=self.first_row + row, col=col, height=height, width=width)
        # Opened for each read, since processes that load chips cannot share an open file.
        with SceneStack.open(self._parts) as image:
            pixels = image.read(window)
        labels = self._read_labels(window)
        labels[~pixels.valid] = self.classes.ignore_index
        return Sample(pixels=pixels.values, valid=pixels.valid, labels=labels)

    def _read_labels(self, window: Window) -> NDArray[np.uint8]:
        """Labels of a window with the map applied, or an error that names the wrong value."""
        raw, has_label = self._labels.read(window)
        labels = np.full(raw.shape, self.classes.ignore_index, np.uint8)
        for value in np.unique(raw[has_label]):
            target = self._label_map.get(int(value), int(value))
            where = has_label & (raw == value)
            if target != self.classes.ignore_index and not 0 <= target < self.classes.num_classes:
                self._refuse(int(value), where, window)
            labels[where] = target
        return labels

    def _refuse(self, value: int, where: NDArray[np.bool_], window: Window) -> None:
        """Raise for a label value outside the class scheme."""
        rows, cols = np.nonzero(where)
        msg = (
            f"{self.pair.mask} holds the label {value} ({rows.size} pixels, the first at row "
            f"{int(rows[0]) + window.row}, col {int(cols[0]) + window.col}); allowed are "
            f"0 to {self.classes.num_classes - 1} and the ignore index "
            f"{self.classes.ignore_index}; set data.label_map to map it"
        )
        raise DataError(msg)

    def _count_labels(self) -> NDArray[np.int64]:
        """Pixels of each class, which also checks every label."""
        counts = np.zeros(256, np.int64)
        with SceneStack.open(self._parts) as image:
            for part in strips(height=self.height, width=self.width):
                window = replace(part, row=self.first_row + part.row)
                labels = self._read_labels(window)
                for scene in image.scenes:
                    labels[~scene.read_valid(window)] = self.classes.ignore_index
                counts += np.bincount(labels.ravel(), minlength=256)
        return counts[: self.classes.num_classes]


def open_scenes(
    pairs: Sequence[ScenePair],
    *,
    classes: ClassScheme,
    label_map: dict[int, int] | None = None,
    bidx: Sequence[int] | None = None,
    labels: LabelOptions | None = None,
    cache_mb: int = 0,
) -> list[LabelledScene]:
    """Open and check scenes, and hold as many in memory as fit.

    Args:
        pairs: Images and label rasters.
        classes: Allowed labels.
        label_map: Label value to class index or ignore index, for values that differ.
        bidx: Bands to use, 1-based; None takes those of the pair, or all but an alpha band.
        labels: How labels are written; None for class indices.
        cache_mb: Memory for scenes, MiB; scenes beyond it are read by windows.

    Returns:
        The scenes in the order of the pairs.

    Raises:
        DataError: If labels are not allowed, or scenes differ in number or type of bands.
    """
    scenes = [
        LabelledScene(pair, classes=classes, label_map=label_map, bidx=bidx, labels=labels)
        for pair in pairs
    ]
    check_alike(scenes)
    free = cache_mb * 2**20
    for scene in scenes:
        if scene.memory_bytes <= free:
            scene.hold()
            free -= scene.memory_bytes
    return scenes


def check_alike(scenes: Sequence[LabelledScene]) -> None:
    """Refuse scenes that one network cannot take.

    Args:
        scenes: Scenes of one run.

    Raises:
        DataError: If they differ in number or data type of their bands.
    """
    for scene in scenes[1:]:
        if (scene.num_bands, scene.dtype) != (scenes[0].num_bands, scenes[0].dtype):
            msg = (
                f"{scene.pair.image} has {scene.num_bands} bands of {scene.dtype} and "
                f"{scenes[0].pair.image} {scenes[0].num_bands} of {scenes[0].dtype}; choose bands "
                "with data.bidx, or convert the images to one data type"
            )
            raise DataError(msg)
