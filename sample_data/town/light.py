"""Sun, sky and cast shadows."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sample_data.town.canvas import METRES_PER_PIXEL, SCALE, Canvas

SUN_AZIMUTH_DEG = 142.0
SUN_ELEVATION_DEG = 47.0
SKY_LIGHT = (0.19, 0.205, 0.24, 0.13)
SAMPLE_M = METRES_PER_PIXEL / SCALE
Grid = NDArray[np.float32]


def towards_sun() -> tuple[float, float, float]:
    """Return the unit vector to the sun as (row, col, up)."""
    azimuth, elevation = np.radians(SUN_AZIMUTH_DEG), np.radians(SUN_ELEVATION_DEG)
    flat = np.cos(elevation)
    return float(-np.cos(azimuth) * flat), float(np.sin(azimuth) * flat), float(np.sin(elevation))


def cast_shadow(elevation: Grid) -> Grid:
    """Return how far each sample lies in shadow: 0 is sunlit, 1 fully dark, soft at the edge."""
    row, col, up = towards_sun()
    reach = int(float(elevation.max()) / np.tan(np.radians(SUN_ELEVATION_DEG)) / SAMPLE_M) + 1
    flat = np.hypot(row, col)
    drop = up / flat * SAMPLE_M
    highest = np.full_like(elevation, -np.inf)
    for step in range(1, reach + 1):
        shift = (round(step * row / flat), round(step * col / flat))
        target, source = overlap(elevation.shape, shift)
        np.maximum(highest[target], elevation[source] - step * drop, out=highest[target])
    return np.clip((highest - elevation) / 0.4, 0, 1).astype(np.float32)


def overlap(
    shape: tuple[int, ...], shift: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return slices so that `source` is `target` moved by `shift` rows and columns."""
    target, source = [], []
    for size, move in zip(shape, shift, strict=True):
        target.append(slice(max(0, -move), size - max(0, move)))
        source.append(slice(max(0, move), size - max(0, -move)))
    return (target[0], target[1]), (source[0], source[1])


def facing(elevation: Grid) -> Grid:
    """Return sunlight on the slope of each sample, relative to flat ground."""
    row, col, up = towards_sun()
    down, right = np.gradient(elevation, SAMPLE_M)
    down, right = np.clip(down, -2.5, 2.5), np.clip(right, -2.5, 2.5)
    light = (up - row * down - col * right) / np.sqrt(1 + down**2 + right**2)
    return np.clip(light / up, 0, 1.35).astype(np.float32)


def openness(elevation: Grid) -> Grid:
    """Return the share of sky seen, about 0.5 beside tall walls and 1 in the open."""
    around = ndimage.uniform_filter(elevation, size=10 * SCALE + 1)
    return np.clip(1 - 0.09 * np.maximum(around - elevation, 0), 0.5, 1).astype(np.float32)


def illuminate(canvas: Canvas) -> Grid:
    """Return the lit scene, (BANDS, height, width), 0-255 and a little above."""
    sun = facing(canvas.elevation) * (1 - cast_shadow(canvas.elevation))
    sky = openness(canvas.elevation)
    lit = np.empty_like(canvas.albedo)
    for band, share in enumerate(SKY_LIGHT):
        lit[band] = canvas.albedo[band] * (share * sky + (1 - share) * sun)
    return lit
