"""A scene with its label raster, read by windows or from memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.data.pairs import ScenePair
from rsmamba.errors import DataError, GridMismatchError
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

# Label rasters are checked in strips of this many rows, so that their size does not matter.
_STRIP_ROWS = 1024


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
        bidx: Bands to use, 1-based; None takes all but an alpha band.

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
    ) -> None:
        self.pair = pair
        self.classes = classes
        self._label_map = dict(label_map or {})
        with Scene.open(pair.image, bidx=bidx) as image, Scene.open(pair.mask) as mask:
            first, last = (round(share * image.grid.height) for share in pair.rows)
            self._first_row = first
            self.height, self.width = last - first, image.grid.width
            self.bidx = image.bidx
            self.dtype = np.dtype(image.dtype)
            _check_mask(image, mask)
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
        return self.height * self.width * (len(self.bidx) * self.dtype.itemsize + 2)

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
        window = Window(row=self._first_row + row, col=col, height=height, width=width)
        # Opened for each read, since processes that load chips cannot share an open file.
        with Scene.open(self.pair.image, bidx=self.bidx) as image:
            pixels = image.read(window)
        labels = self._read_labels(window)
        labels[~pixels.valid] = self.classes.ignore_index
        return Sample(pixels=pixels.values, valid=pixels.valid, labels=labels)

    def _read_labels(self, window: Window) -> NDArray[np.uint8]:
        """Labels of a window with the map applied, or an error that names the wrong value."""
        with Scene.open(self.pair.mask) as mask:
            read = mask.read(window)
        raw, has_label = read.values[0].astype(np.int64), read.valid
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
        for row in range(0, self.height, _STRIP_ROWS):
            rows = min(_STRIP_ROWS, self.height - row)
            window = Window(row=self._first_row + row, col=0, height=rows, width=self.width)
            labels = self._read_labels(window)
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
        DataError: If labels are not allowed, or scenes differ in number or type of bands.
    """
    scenes = [
        LabelledScene(pair, classes=classes, label_map=label_map, bidx=bidx) for pair in pairs
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
        if (len(scene.bidx), scene.dtype) != (len(scenes[0].bidx), scenes[0].dtype):
            msg = (
                f"{scene.pair.image} has {len(scene.bidx)} bands of {scene.dtype} and "
                f"{scenes[0].pair.image} {len(scenes[0].bidx)} of {scenes[0].dtype}; choose bands "
                "with data.bidx, or convert the images to one data type"
            )
            raise DataError(msg)


def _check_mask(image: Scene, mask: Scene) -> None:
    """Refuse label rasters that cannot be class indices of this image."""
    if (image.grid.height, image.grid.width) != (mask.grid.height, mask.grid.width):
        msg = (
            f"{mask.path} is {mask.grid.width} px wide and {mask.grid.height} px high, its image "
            f"{image.grid.width} and {image.grid.height}; both must have the same size"
        )
        raise DataError(msg)
    if len(mask.bidx) != 1 or np.dtype(mask.dtype).kind not in "iu":
        msg = (
            f"{mask.path} has {len(mask.bidx)} bands of {mask.dtype}; a label raster has one band "
            "of integers, the class indices"
        )
        raise DataError(msg)
    _check_place(image, mask)


def _check_place(image: Scene, mask: Scene) -> None:
    """Refuse label rasters that lie elsewhere; many label rasters have no transform at all."""
    if image.grid.transform.is_identity or mask.grid.transform.is_identity:
        return
    if not _transform_alone(image.grid).same_as(_transform_alone(mask.grid)):
        msg = (
            f"{mask.path} has the transform {tuple(mask.grid.transform)[:6]} and its image "
            f"{tuple(image.grid.transform)[:6]}; warp one onto the grid of the other"
        )
        raise GridMismatchError(msg)


def _transform_alone(grid: GeoGrid) -> GeoGrid:
    """The grid without its CRS, which two programs may write in two ways."""
    return GeoGrid(height=grid.height, width=grid.width, transform=grid.transform)
