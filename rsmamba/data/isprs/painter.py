"""A made-up piece of town with labels, surface heights and four bands, for look-alike tiles.

Shapes are plain (blocks, discs, stripes) and sizes are in pixels, so that a tile of 100 pixels
already holds every class. Colours, heights and shadows are near enough to the real data for a
network to learn something; numbers from such tiles say nothing about Vaihingen or Potsdam.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rsmamba.classes import ISPRS_CLASSES

_SURFACE, _BUILDING, _LAWN, _TREE, _CAR, _CLUTTER = range(ISPRS_CLASSES.num_classes)
# Red, green, blue and near infrared in full sun, 0 to 255: vegetation shines in the infrared.
_BRIGHTNESS = {
    _SURFACE: (140, 138, 135, 110),
    _LAWN: (110, 135, 85, 175),
    _TREE: (55, 80, 50, 160),
    _CLUTTER: (70, 85, 95, 35),
}
_ROOFS = ((165, 85, 65, 120), (125, 125, 130, 105), (190, 180, 165, 150))
_CARS = ((200, 200, 205, 180), (45, 45, 50, 50), (170, 40, 40, 120), (50, 80, 150, 90))
_SHADOW = 0.5

Slices = tuple[slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Painting:
    """A painted tile.

    Attributes:
        pixels: Red, green, blue and near infrared (4, H, W).
        labels: Class index of the ISPRS scheme (H, W); every class has pixels.
        heights_m: Height above ground (H, W), metres.
        terrain_m: Height of the ground (H, W), metres.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    heights_m: NDArray[np.float32]
    terrain_m: NDArray[np.float32]


def paint_town(*, height: int, width: int, seed: int) -> Painting:
    """Paint a tile.

    Args:
        height: Rows, at least 48.
        width: Columns, at least 48.
        seed: Seed; the same numbers give the same tile.

    Returns:
        The tile.

    Example:
        >>> np.unique(paint_town(height=64, width=64, seed=1).labels).tolist()
        [0, 1, 2, 3, 4, 5]
    """
    town = _Town(height=height, width=width, rng=np.random.default_rng([seed, height, width]))
    return town.finish()


class _Town:
    """Layers of a tile while it is painted; later things cover earlier ones."""

    def __init__(self, *, height: int, width: int, rng: np.random.Generator) -> None:
        self.shape = (height, width)
        self.rng = rng
        # Things are measured in units of a lot's twelfth, which shrinks with the tile.
        self.unit = max(2.0, min(height, width, 600) / 48)
        self.labels = np.full(self.shape, _LAWN, np.uint8)
        self.heights = np.zeros(self.shape, np.float32)
        self.bands = np.empty((4, *self.shape), np.float32)
        self.fill(np.ones(self.shape, np.bool_), _LAWN, _BRIGHTNESS[_LAWN], height_m=0.1)
        lots = self._streets()
        for number, lot in enumerate(lots):
            self._furnish(lot, number)
        self._cars()

    def finish(self) -> Painting:
        """Shade, add noise, and lay everything on rolling ground."""
        height, width = self.shape
        lit = np.where(self._shadow(), np.float32(_SHADOW), np.float32(1))
        grain = self.rng.normal(0, 5, (4, height, width)) + self.rng.normal(0, 4, (height, width))
        pixels = np.clip(self.bands * lit + grain, 1, 254).astype(np.uint8)
        rows = np.linspace(0, 3, height)[:, None]
        cols = np.linspace(0, 2, width)[None]
        terrain = (270 + 2 * np.sin(rows) + 1.5 * np.cos(cols)).astype(np.float32)
        return Painting(
            pixels=pixels, labels=self.labels, heights_m=self.heights, terrain_m=terrain
        )

    def fill(
        self, mask: NDArray[np.bool_], label: int, colour: tuple[int, ...], *, height_m: float
    ) -> None:
        """Paint one thing."""
        tone = self.rng.normal(1, 0.06)
        self.labels[mask] = label
        self.heights[mask] = height_m
        for band, value in zip(self.bands, colour, strict=True):
            band[mask] = value * tone

    def box(self, *, row: float, col: float, height: float, width: float) -> NDArray[np.bool_]:
        """Mask of an upright rectangle."""
        mask = np.zeros(self.shape, np.bool_)
        mask[self._span(row, height, 0), self._span(col, width, 1)] = True
        return mask

    def disc(self, *, row: float, col: float, radius: float) -> NDArray[np.bool_]:
        """Mask of a disc."""
        rows, cols = np.ogrid[: self.shape[0], : self.shape[1]]
        inside: NDArray[np.bool_] = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
        return inside

    def _span(self, start: float, length: float, axis: int) -> slice:
        first = min(max(0, round(start)), self.shape[axis])
        return slice(first, min(self.shape[axis], max(first, round(start + length))))

    def _streets(self) -> list[tuple[float, float, float, float]]:
        """Streets in both directions; returns the lots between them (row, col, height, width)."""
        road, lot = 3 * self.unit, 16 * self.unit
        starts: list[list[float]] = []
        for axis in range(2):
            offset = -self.rng.uniform(0.2, 0.5) * lot
            starts.append([*np.arange(offset, self.shape[axis], lot + road)])
            for start in starts[axis]:
                place = {"row": start + lot, "col": 0.0, "height": road, "width": self.shape[1]}
                if axis:
                    place = {"row": 0.0, "col": start + lot, "height": self.shape[0], "width": road}
                self.fill(self.box(**place), _SURFACE, _BRIGHTNESS[_SURFACE], height_m=0)
        return [(row, col, lot, lot) for row in starts[0] for col in starts[1]]

    def _furnish(self, lot: tuple[float, float, float, float], number: int) -> None:
        """A house or a pond, and trees, on a lot."""
        row, col, height, width = lot
        if number % 4 == 1:
            middle = {"row": row + height / 2, "col": col + width / 2}
            self.fill(
                self.disc(**middle, radius=width / 5), _CLUTTER, _BRIGHTNESS[_CLUTTER], height_m=0
            )
        else:
            share = self.rng.uniform(0.35, 0.6, 2)
            corner = self.rng.uniform(0.1, 0.35, 2)
            roof = self.box(
                row=row + corner[0] * height,
                col=col + corner[1] * width,
                height=share[0] * height,
                width=share[1] * width,
            )
            colour = _ROOFS[int(self.rng.integers(len(_ROOFS)))]
            self.fill(roof, _BUILDING, colour, height_m=float(self.rng.uniform(4, 12)))
        for _ in range(5):
            spot = self.rng.uniform(0, 1, 2)
            crown = self.disc(
                row=row + spot[0] * height,
                col=col + spot[1] * width,
                radius=self.rng.uniform(1.0, 2.2) * self.unit,
            )
            crown &= self.labels == _LAWN
            self.fill(crown, _TREE, _BRIGHTNESS[_TREE], height_m=float(self.rng.uniform(3, 9)))

    def _cars(self) -> None:
        """Cars on the streets, and what else a small tile happens to lack."""
        rows, cols = np.nonzero(self.labels == _SURFACE)
        count = max(3, rows.size // round(60 * self.unit**2))
        for place in self.rng.choice(rows.size, size=min(count, rows.size), replace=False):
            car = self.box(
                row=rows[place], col=cols[place], height=1.1 * self.unit, width=2 * self.unit
            )
            car &= self.labels == _SURFACE
            colour = _CARS[int(self.rng.integers(len(_CARS)))]
            self.fill(car, _CAR, colour, height_m=1.5)
        side = 2 * self.unit
        for label, colours in ((_BUILDING, _ROOFS[0]), (_CLUTTER, _BRIGHTNESS[_CLUTTER])):
            if not (self.labels == label).any():
                spot = self.box(row=label * side, col=label * side, height=side, width=side)
                self.fill(spot, label, colours, height_m=5.0 if label == _BUILDING else 0.0)

    def _shadow(self) -> NDArray[np.bool_]:
        """What lies in the shadow of something higher towards the upper left."""
        shadow = np.zeros(self.shape, np.bool_)
        for step in range(1, round(self.unit) + 1):
            shifted: NDArray[Any] = ndimage.shift(self.heights, (step, step), order=0, cval=0.0)
            shadow |= shifted > self.heights + 1.5 * step / self.unit + 1
        return shadow
