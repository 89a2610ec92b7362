"""Polygons of a class map, found strip by strip and whole across the borders of strips.

In memory are one strip and the outlines of regions that reach its last row. Shared borders are
simplified together, so neither gaps nor overlaps arise; they are fixed where they cross the border
of two strips. Coordinates are (col, row) of pixel corners.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes

from rsmamba.errors import require
from rsmamba.geo.kinds import NODATA
from rsmamba.geo.regions import ClassArray, LabelArray, label_regions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapStrip:
    """Some rows of a class map, full width.

    Attributes:
        row: First of them.
        classes: Class indices ``(h, w)``, 255 where there is none.
        confidence: Score of the class, 0 to 1 ``(h, w)``; None if unknown.
    """

    row: int
    classes: ClassArray
    confidence: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassPolygon:
    """The outline of a region.

    Attributes:
        class_index: Its class.
        geometry: A shapely polygon with its holes; coordinates are col and row.
        num_pixels: Pixels of the region.
        confidence: Mean score of the class, 0 to 1; None if unknown.
    """

    class_index: int
    geometry: Any
    num_pixels: int
    confidence: float | None


@dataclass(slots=True, kw_only=True, eq=False)
class _Region:
    class_index: int
    pieces: list[Any] = field(default_factory=list)
    num_pixels: int = 0
    confidence: float = 0.0
    joined_to: "_Region | None" = None

    def root(self) -> "_Region":
        region = self
        while region.joined_to is not None:
            region = region.joined_to
        return region

    def join(self, other: "_Region") -> None:
        one, two = self.root(), other.root()
        if one is two:
            return
        if len(one.pieces) < len(two.pieces):
            one, two = two, one
        one.pieces += two.pieces
        one.num_pixels += two.num_pixels
        one.confidence += two.confidence
        two.joined_to, two.pieces = one, []


def class_polygons(
    strips: Iterable[MapStrip], *, simplify_px: float = 0.0
) -> Iterator[ClassPolygon]:
    """Outline the regions of a class map: pixels of one class that touch by their sides.

    Args:
        strips: All rows from top to bottom.
        simplify_px: How far outlines may leave the pixels' sides, pixels; 0 keeps them exactly.

    Yields:
        The polygons, each as soon as it is complete.

    Raises:
        MissingPackageError: If shapely is not installed.
    """
    above: list[_Region | None] = []
    is_scored = False
    for strip in strips:
        is_scored = strip.confidence is not None
        labels, of_label = label_regions(strip.classes)
        regions = _regions_of(strip, labels, of_label, simplify_px=simplify_px)
        last = [regions[label] for label in labels[-1]]
        _join(above, [regions[label] for label in labels[0]])
        open_roots = {id(region.root()) for region in last if region is not None}
        waiting = dict.fromkeys(
            region.root() for region in (*above, *regions) if region is not None
        )
        for region in waiting:
            if id(region) not in open_roots:
                yield _closed(region, is_scored=is_scored)
        above = last
    for region in dict.fromkeys(region.root() for region in above if region is not None):
        yield _closed(region, is_scored=is_scored)


def _regions_of(
    strip: MapStrip, labels: LabelArray, of_label: ClassArray, *, simplify_px: float
) -> list[_Region | None]:
    """Return the part of each region that a strip holds, by label."""
    regions: list[_Region | None] = [
        None if index == NODATA else _Region(class_index=int(index)) for index in of_label
    ]
    counts = np.bincount(labels.ravel(), minlength=len(regions))
    scores = None if strip.confidence is None else strip.confidence.ravel()
    totals = np.bincount(labels.ravel(), weights=scores, minlength=len(regions))
    for label, piece in _pieces(labels, row=strip.row, simplify_px=simplify_px):
        region = regions[label]
        if region is not None:
            region.pieces.append(piece)
            region.num_pixels, region.confidence = int(counts[label]), float(totals[label])
    return regions


def _pieces(labels: LabelArray, *, row: int, simplify_px: float) -> list[tuple[int, Any]]:
    """Outline each label; what has no class takes part in the simplification only."""
    shapely = require("shapely", extra="vector")
    found = list(shapes(labels, connectivity=4, transform=Affine.translation(0, row)))
    numbers = [int(value) for _, value in found]
    outlines = np.array([shapely.geometry.shape(geometry) for geometry, _ in found])
    if simplify_px > 0:
        # Neighbours must have the same corners, also where a third one begins.
        cornered = shapely.transform(shapely.segmentize(outlines, 1.0), np.rint)
        outlines = shapely.coverage_simplify(cornered, simplify_px, simplify_boundary=False)
    return list(zip(numbers, outlines, strict=True))


def _join(above: list[_Region | None], below: list[_Region | None]) -> None:
    """Join regions of one class that touch across the border of two strips."""
    for pair in dict.fromkeys(zip(above, below, strict=False)):
        upper, lower = pair
        if upper is not None and lower is not None and upper.class_index == lower.class_index:
            upper.join(lower)


def _closed(region: _Region, *, is_scored: bool) -> ClassPolygon:
    shapely = require("shapely", extra="vector")
    geometry = region.pieces[0]
    if len(region.pieces) > 1:
        geometry = shapely.union_all(region.pieces)
    return ClassPolygon(
        class_index=region.class_index,
        # Corners that lie on a straight line say nothing.
        geometry=shapely.simplify(geometry, 0),
        num_pixels=region.num_pixels,
        confidence=region.confidence / region.num_pixels if is_scored else None,
    )
