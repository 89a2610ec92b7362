"""Conclusions from the counts of all scenes: curves, tallies and class areas."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import DataError
from rsmamba.evaluation.counting import PixelTally, SceneCounts
from rsmamba.evaluation.result import ClassAreas, CurvePoint
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.gsd import ground_sample_distance_m
from rsmamba.metrics import compute_scores, estimate_areas

_SQUARE_METRES_A_HECTARE = 10_000.0
# Areas of pixels may differ by this part; more would be more than most standard errors.
_UNEVEN_SHARE = 0.01


def total_counts(scenes: Sequence[SceneCounts], radius: int) -> NDArray[np.int64]:
    """Join the confusion matrices of all scenes.

    Args:
        scenes: Counts of each scene.
        radius: Boundary radius, pixels.

    Returns:
        The matrix (n, n).
    """
    total: NDArray[np.int64] = np.sum([scene.at_radius(radius) for scene in scenes], axis=0)
    return total


def tally_of(scenes: Sequence[SceneCounts]) -> PixelTally:
    """Join the tallies of all scenes.

    Args:
        scenes: Counts of each scene.

    Returns:
        The tally.
    """
    return sum((scene.tally for scene in scenes), PixelTally())


def boundary_curve(
    scenes: Sequence[SceneCounts], *, radius: int, mean_classes: tuple[int, ...] | None
) -> tuple[CurvePoint, ...]:
    """Score the same pixels after erosion by every radius.

    Args:
        scenes: Counts of each scene.
        radius: Largest boundary radius, pixels.
        mean_classes: As in ``compute_scores``.

    Returns:
        One point for each radius from 0 that leaves pixels.
    """
    points = []
    for each in range(radius + 1):
        counts = total_counts(scenes, each)
        if not counts.any():
            break
        scores = compute_scores(counts, mean_classes=mean_classes)
        points.append(
            CurvePoint(
                radius=each,
                pixels=int(counts.sum()),
                overall_accuracy=scores.overall_accuracy,
                mean_f1=scores.mean_f1,
                mean_iou=scores.mean_iou,
            )
        )
    return tuple(points)


def area_estimates(scenes: Sequence[SceneCounts], grids: Sequence[GeoGrid]) -> ClassAreas:
    """Estimate class areas of the whole maps from their labelled part.

    Args:
        scenes: Counts of each scene.
        grids: Grid of each scene.

    Returns:
        The estimates, or the reason why there are none.
    """
    counts = total_counts(scenes, 0)
    mapped_pixels = sum(int(scene.mapped.sum()) for scene in scenes)
    labelled = int(counts.sum())
    if labelled == mapped_pixels:
        return ClassAreas(
            note="Every pixel of the map has a reference, so that areas are counted, not estimated."
        )
    sizes = [grid.gsd_m for grid in grids]
    uneven = any(not _has_even_pixels(grid) for grid in grids)
    in_hectares = all(size is not None for size in sizes) and not uneven
    factors = [
        (size or 0.0) ** 2 / _SQUARE_METRES_A_HECTARE if in_hectares else 1 for size in sizes
    ]
    mapped = np.sum(
        [scene.mapped * factor for scene, factor in zip(scenes, factors, strict=True)], axis=0
    )
    try:
        estimates = estimate_areas(counts, mapped)
    except DataError as error:
        return ClassAreas(note=f"No area estimates: {error}.")
    note = (
        f"From {labelled:,} labelled of {mapped_pixels:,} mapped pixels, boundaries included "
        "(Olofsson et al. 2014). Standard errors hold if labelled pixels were drawn at random "
        "within each map class; where they lie in patches the true errors are larger."
    )
    if uneven:
        note += (
            " Areas are numbers of pixels, since one pixel covers more ground in one part of a "
            "scene than in another; warp maps to an equal-area CRS for hectares."
        )
    return ClassAreas(note=note, unit="ha" if in_hectares else "px", estimates=estimates)


def _has_even_pixels(grid: GeoGrid) -> bool:
    """Say whether pixels cover about the same ground all over a scene.

    In degrees and in Web Mercator they do not, over more than a small part of the earth.
    """
    if grid.crs is None or grid.transform.is_identity:
        return True
    places = [(row, col) for row in (0, grid.height - 1) for col in (0, grid.width - 1)]
    sides = [
        ground_sample_distance_m(grid.crs, grid.transform, centre_row=row, centre_col=col)
        for row, col in places
    ]
    known = [side for side in sides if side is not None]
    return not known or (max(known) / min(known)) ** 2 < 1 + _UNEVEN_SHARE
