"""Where the pixels of each class are, so that chips can be placed on rare ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsmamba.data.labelled import LabelledScene

# Counts are kept for cells; which pixel of a cell it is, is read when it is drawn.
_CELL = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pixel of a scene.

    Attributes:
        scene: Number of the scene.
        row: Row of the pixel.
        col: Column of the pixel.
    """

    scene: int
    row: int
    col: int


class ClassPlaces:
    """Draw pixels by class: first a class, then one of all its labelled pixels.

    Reads every scene once.

    Args:
        scenes: Training scenes.
        power: A class is drawn by its number of pixels to the power of minus this; 0 draws all
            classes alike, 1 by how rare they are. Classes without a pixel are not drawn.
    """

    def __init__(self, scenes: Sequence[LabelledScene], *, power: float) -> None:
        self.scenes = scenes
        parts = [_cells(scene) for scene in scenes]
        self._scene_of_cell = np.repeat(range(len(parts)), [len(p.corners) for p in parts])
        self._corners = np.concatenate([part.corners for part in parts])  # (cells, 2)
        counts = np.concatenate([part.counts for part in parts])  # (cells, K)
        self._cumulative = counts.cumsum(axis=0)  # (cells, K)
        totals = self._cumulative[-1].astype(np.float64)  # (K,)
        weights = np.where(totals > 0, np.maximum(totals, 1) ** -power, 0.0)
        self.class_shares = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> Place:
        """Draw a pixel.

        Args:
            rng: Source of all randomness.

        Returns:
            Its place; every pixel of the drawn class is as likely.
        """
        class_index = int(rng.choice(len(self.class_shares), p=self.class_shares))
        cumulative = self._cumulative[:, class_index]
        number = int(rng.integers(cumulative[-1]))  # of the pixel among all of its class
        cell = int(np.searchsorted(cumulative, number, side="right"))
        before = int(cumulative[cell - 1]) if cell else 0
        index = int(self._scene_of_cell[cell])
        row, col = (int(start) for start in self._corners[cell])
        labels = _read_labels(self.scenes[index], row, col)
        rows, cols = np.nonzero(labels == class_index)
        return Place(
            scene=index, row=row + int(rows[number - before]), col=col + int(cols[number - before])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Cells of one scene: first row and column (cells, 2), pixels of each class (cells, K)."""

    corners: NDArray[np.int64]
    counts: NDArray[np.int64]


def _cells(scene: LabelledScene) -> _Cells:
    """Count the classes of each cell."""
    corners = [
        (row, col) for row in range(0, scene.height, _CELL) for col in range(0, scene.width, _CELL)
    ]
    num_classes = scene.classes.num_classes
    counts = [
        np.bincount(_read_labels(scene, row, col).ravel(), minlength=256)[:num_classes]
        for row, col in corners
    ]
    return _Cells(corners=np.array(corners), counts=np.array(counts))


def _read_labels(scene: LabelledScene, row: int, col: int) -> NDArray[np.uint8]:
    """Labels of the cell that begins at a pixel."""
    height, width = min(_CELL, scene.height - row), min(_CELL, scene.width - col)
    return scene.read(row=row, col=col, height=height, width=width).labels
