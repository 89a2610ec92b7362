"""Boundary erosion: which pixels lie so close to a class border that they are not scored.

A pixel is removed at radius k when the disc of radius k around it holds a second class, as the
ISPRS references without boundaries do with k = 3. Ignored pixels are no class: they make no border,
and neither does the edge of the scene, so eroding an eroded reference again changes nothing.
"""

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import OptionError

MAX_RADIUS = 50


def erosion_levels(
    labels: NDArray[np.uint8], *, radius: int, ignore_index: int = 255
) -> NDArray[np.uint8]:
    """Return the smallest disc that removes each pixel.

    Args:
        labels: Class indices (h, w).
        radius: Largest radius that is looked at, pixels, 0 to 50. Pixels within this distance of
            the array's edge are right only where nothing lies beyond it.
        ignore_index: Label of pixels without a class.

    Returns:
        Level of each pixel (h, w): 1 to `radius` if a disc of that radius holds a second class,
        `radius` + 1 if none does. Erosion by k removes levels up to k. Pixels without a class get
        `radius` + 1.

    Raises:
        OptionError: If the radius is outside 0 to 50.

    Example:
        >>> erosion_levels(np.array([[0, 0, 0, 1, 1]], np.uint8), radius=2).tolist()
        [[3, 2, 1, 1, 2]]
    """
    check_radius(radius)
    levels = np.full(labels.shape, radius + 1, np.uint8)
    has_class = labels != ignore_index
    there = labels[has_class]
    if there.size == 0 or (there == there[0]).all():
        return levels
    height, width = labels.shape
    for level, rows, cols in _half_disc(radius):
        if rows >= height or abs(cols) >= width:
            continue
        first = slice(0, height - rows), slice(max(-cols, 0), width - max(cols, 0))
        second = slice(rows, height), slice(max(cols, 0), width - max(-cols, 0))
        border = labels[first] != labels[second]
        border &= has_class[first]
        border &= has_class[second]
        # From far to near, so that the nearest border stays.
        np.copyto(levels[first], level, where=border)
        np.copyto(levels[second], level, where=border)
    return levels


def check_radius(radius: int) -> None:
    """Refuse radii that cannot be used.

    Args:
        radius: Radius, pixels.

    Raises:
        OptionError: If it is outside 0 to 50.
    """
    if not 0 <= radius <= MAX_RADIUS:
        message = f"boundary radius {radius} px is not possible; give 0 to {MAX_RADIUS}"
        raise OptionError(message)


def _half_disc(radius: int) -> list[tuple[int, int, int]]:
    """Level, rows and columns of one of each two opposite offsets, farthest first."""
    offsets = [
        (rows * rows + cols * cols, rows, cols)
        for rows in range(radius + 1)
        for cols in range(-radius, radius + 1)
        if (rows, cols) > (0, 0) and rows * rows + cols * cols <= radius * radius
    ]
    # The integer square root, rounded up, without the rounding of a float.
    return [
        (next(k for k in range(1, radius + 1) if k * k >= square), rows, cols)
        for square, rows, cols in sorted(offsets, reverse=True)
    ]
