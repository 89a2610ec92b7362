"""Counting one scene: every pixel goes to exactly one of counted, unlabelled, eroded, unmapped.

Axes: windows are (h, w); matrices have the reference in rows and the map in columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rsmamba.evaluation.labels import LabelSource
from rsmamba.evaluation.windows import read_side, squares, with_halo
from rsmamba.geo.window import Window
from rsmamba.metrics import CalibrationCounter, erosion_levels

Counts = NDArray[np.int64]
ReadScores = Callable[[Window, NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelTally:
    """Where the pixels of a map went; the four parts sum to the total.

    Attributes:
        counted: In the confusion matrix.
        unlabelled: Without a class in the reference.
        eroded: Labelled, but too close to a class border.
        unmapped: Labelled, but without a class in the map.
    """

    counted: int = 0
    unlabelled: int = 0
    eroded: int = 0
    unmapped: int = 0

    @property
    def total(self) -> int:
        """All pixels."""
        return self.counted + self.unlabelled + self.eroded + self.unmapped

    def __add__(self, other: "PixelTally") -> "PixelTally":
        """Join the tallies of two scenes."""
        return PixelTally(
            counted=self.counted + other.counted,
            unlabelled=self.unlabelled + other.unlabelled,
            eroded=self.eroded + other.eroded,
            unmapped=self.unmapped + other.unmapped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOptions:
    """What is counted.

    Attributes:
        num_classes: Number of classes.
        radius: Boundary radius of the scores, pixels.
        curve: Largest boundary radius of the curve, pixels.
        tile: Side of the tiles that intervals resample and the worst are listed of, pixels.
        ignore_index: Index of pixels without a class.
    """

    num_classes: int
    radius: int = 0
    curve: int = 0
    tile: int = 256
    ignore_index: int = 255


@dataclass(slots=True, kw_only=True)
class SceneCounts:
    """What was counted in one scene.

    Attributes:
        by_level: Confusion matrix of the pixels of each erosion level, (levels, n, n); a level is
            the smallest radius that removes the pixel, the last is never removed.
        tiles: Window of each tile.
        tile_counts: Confusion matrix of each tile at the radius of the scores, (T, n, n).
        tally: Where the pixels went.
        mapped: Pixels of each class in the whole map, (n,).
    """

    by_level: Counts
    tiles: list[Window] = field(default_factory=list)
    tile_counts: list[Counts] = field(default_factory=list)
    tally: PixelTally = PixelTally()
    mapped: Counts

    def at_radius(self, radius: int) -> Counts:
        """Return the confusion matrix after erosion.

        Args:
            radius: Boundary radius, pixels.

        Returns:
            The matrix (n, n) of all pixels that this radius leaves.
        """
        counts: Counts = self.by_level[radius:].sum(axis=0)
        return counts


class Watcher(Protocol):
    """Sees every window with what was compared."""

    def see(
        self,
        window: Window,
        *,
        prediction: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        scored: NDArray[np.bool_],
    ) -> None:
        """Take note of one window.

        Args:
            window: The window.
            prediction: Class indices of the map (h, w).
            reference: Class indices of the reference (h, w).
            scored: True where the pixel is in the confusion matrix (h, w).
        """


def count_scene(
    prediction: LabelSource,
    reference: LabelSource,
    *,
    height: int,
    width: int,
    options: CountOptions,
    scores: ReadScores | None = None,
    calibration: CalibrationCounter | None = None,
    watchers: tuple[Watcher, ...] = (),
    progress: Callable[[int], None] | None = None,
) -> SceneCounts:
    """Compare a map with its reference, window by window in bounded memory.

    Erosion looks beyond each window by its radius, so it does not depend on the windows.

    Args:
        prediction: The map.
        reference: The reference on the same grid.
        height: Rows of the grid.
        width: Columns of the grid.
        options: What is counted.
        scores: Reads the confidence in the map's class (h, w); NaN where there is none.
        calibration: Takes the confidences.
        watchers: See every window.
        progress: Told the number of pixels of each finished window.

    Returns:
        The counts.
    """
    n = options.num_classes
    levels = max(options.radius, options.curve) + 1
    counts = SceneCounts(by_level=np.zeros((levels, n, n), np.int64), mapped=np.zeros(n, np.int64))
    for window in squares(height=height, width=width, side=read_side(options.tile)):
        labels, level = _read_levels(
            reference, window, height=height, width=width, options=options, radius=levels - 1
        )
        classes = prediction.read(window)
        scored = _count_window(counts, window, classes, labels=labels, level=level, options=options)
        if scores is not None and calibration is not None:
            confidence = scores(window, classes)
            known = scored & ~np.isnan(confidence)
            calibration.add(confidence[known], (classes == labels)[known])
        for watcher in watchers:
            watcher.see(window, prediction=classes, reference=labels, scored=scored)
        if progress is not None:
            progress(window.num_pixels)
    return counts


def _read_levels(
    reference: LabelSource,
    window: Window,
    *,
    height: int,
    width: int,
    options: CountOptions,
    radius: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels of a window and the erosion level of each, 1 to `radius` + 1."""
    wide = with_halo(window, halo=radius, height=height, width=width)
    labels = reference.read(wide)
    level = erosion_levels(labels, radius=radius, ignore_index=options.ignore_index)
    inner = window.shifted(rows=-wide.row, cols=-wide.col).slices
    return labels[inner], level[inner]


def _count_window(
    counts: SceneCounts,
    window: Window,
    classes: NDArray[np.uint8],
    *,
    labels: NDArray[np.uint8],
    level: NDArray[np.uint8],
    options: CountOptions,
) -> NDArray[np.bool_]:
    """Add one window, and return which of its pixels are scored."""
    n, ignore_index = options.num_classes, options.ignore_index
    labelled, mapped = labels != ignore_index, classes != ignore_index
    kept = labelled & (level > options.radius)
    scored = kept & mapped
    both = labelled & mapped
    pairs = labels.astype(np.int32) * n + classes  # (h, w)
    by_level = (level[both].astype(np.int64) - 1) * n * n + pairs[both]
    counts.by_level += np.bincount(by_level, minlength=counts.by_level.size).reshape(
        counts.by_level.shape
    )
    counts.mapped += np.bincount(classes[mapped], minlength=n)
    num_labelled, num_kept = int(labelled.sum()), int(kept.sum())
    num_scored = int(scored.sum())
    counts.tally += PixelTally(
        counted=num_scored,
        unlabelled=labels.size - num_labelled,
        eroded=num_labelled - num_kept,
        unmapped=num_kept - num_scored,
    )
    for part in squares(height=window.height, width=window.width, side=options.tile):
        inside = pairs[part.slices][scored[part.slices]]
        counts.tiles.append(part.shifted(rows=window.row, cols=window.col))
        counts.tile_counts.append(np.bincount(inside, minlength=n * n).reshape(n, n))
    return scored
