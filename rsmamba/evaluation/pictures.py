"""Small pictures of whole scenes and full ones of the worst tiles, for a report.

The error picture is exact: each of its cells holds the share of wrong pixels among the scored ones
that it stands for. Class pictures take the first pixel of each cell.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsmamba.evaluation.labels import LabelSource
from rsmamba.geo.quicklook import scene_picture
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

Indices = NDArray[np.uint8]
Picture = NDArray[np.uint8]
# Stands for cells without a scored pixel in error pictures.
NOT_SCORED = 255
_ERROR_STEPS = 254
_LONGEST_SIDE = 1600
# All scenes of a report share this many cells, so that the file stays small enough to mail.
_ALL_CELLS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePicture:
    """A scene at reduced size.

    Attributes:
        factor: Scene pixels along one side of a cell.
        prediction: Class indices of the map (h, w).
        reference: Class indices of the reference (h, w).
        errors: Share of wrong pixels, 0 to 254 for 0 to 1, 255 where none is scored (h, w).
        image: Red, green and blue (h, w, 3); None without an image.
    """

    factor: int
    prediction: Indices
    reference: Indices
    errors: Indices
    image: Picture | None = None


class Overview:
    """Collects the picture of one scene while it is counted.

    Args:
        height: Rows of the scene.
        width: Columns of the scene.
        factor: Scene pixels along one side of a cell.
    """

    def __init__(self, *, height: int, width: int, factor: int) -> None:
        shape = -(-height // factor), -(-width // factor)
        self._factor = factor
        self._prediction = np.full(shape, 255, np.uint8)
        self._reference = np.full(shape, 255, np.uint8)
        self._wrong = np.zeros(shape, np.int64)
        self._scored = np.zeros(shape, np.int64)

    def see(
        self,
        window: Window,
        *,
        prediction: Indices,
        reference: Indices,
        scored: NDArray[np.bool_],
    ) -> None:
        """Take note of one window.

        Args:
            window: The window.
            prediction: Class indices of the map (h, w).
            reference: Class indices of the reference (h, w).
            scored: True where the pixel is scored (h, w).
        """
        factor = self._factor
        first_row, first_col = -window.row % factor, -window.col % factor
        row, col = -(-window.row // factor), -(-window.col // factor)
        for target, source in ((self._prediction, prediction), (self._reference, reference)):
            picked = source[first_row::factor, first_col::factor]
            target[row : row + picked.shape[0], col : col + picked.shape[1]] = picked
        rows = np.arange(window.row, window.row_stop) // factor
        cols = np.arange(window.col, window.col_stop) // factor
        cells = (rows - rows[0])[:, None] * (cols[-1] - cols[0] + 1) + (cols - cols[0])
        shape = int(rows[-1] - rows[0] + 1), int(cols[-1] - cols[0] + 1)
        place = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
        for total, chosen in (
            (self._scored, scored),
            (self._wrong, scored & (prediction != reference)),
        ):
            total[place] += np.bincount(cells[chosen], minlength=shape[0] * shape[1]).reshape(shape)

    def picture(self, image: Scene | None) -> ScenePicture:
        """Return what was collected.

        Args:
            image: Image to show beside, on the same grid.

        Returns:
            The picture.
        """
        share = self._wrong / np.maximum(self._scored, 1)
        errors = np.rint(share * _ERROR_STEPS).astype(np.uint8)
        # One wrong pixel among thousands still shows.
        errors[(errors == 0) & (self._wrong > 0)] = 1
        errors[self._scored == 0] = NOT_SCORED
        height, width = errors.shape
        shown = None
        if image is not None:
            shown = scene_picture(image, image.grid.window, height=height, width=width)
        return ScenePicture(
            factor=self._factor,
            prediction=self._prediction,
            reference=self._reference,
            errors=errors,
            image=shown,
        )


def tile_picture(
    window: Window, *, prediction: LabelSource, reference: LabelSource, image: Scene | None
) -> ScenePicture:
    """Read a tile at full resolution.

    Args:
        window: The tile.
        prediction: The map.
        reference: The reference.
        image: Image to show beside, on the same grid.

    Returns:
        The picture; errors are shown wherever both have a class.
    """
    classes, labels = prediction.read(window), reference.read(window)
    errors = np.where(classes == labels, np.uint8(0), np.uint8(_ERROR_STEPS))
    errors[(classes == 255) | (labels == 255)] = NOT_SCORED
    shown = None
    if image is not None:
        shown = scene_picture(image, window, height=window.height, width=window.width)
    return ScenePicture(factor=1, prediction=classes, reference=labels, errors=errors, image=shown)


def overview_factor(height: int, width: int, *, num_scenes: int) -> int:
    """Choose how much a scene is reduced.

    Args:
        height: Rows of the scene.
        width: Columns of the scene.
        num_scenes: Scenes that share the report.

    Returns:
        Scene pixels along one side of a cell.

    Example:
        >>> overview_factor(6000, 6000, num_scenes=1), overview_factor(700, 900, num_scenes=1)
        (4, 1)
    """
    by_side = math.ceil(max(height, width) / _LONGEST_SIDE)
    by_cells = math.ceil(math.sqrt(height * width * num_scenes / _ALL_CELLS))
    return max(1, by_side, by_cells)
