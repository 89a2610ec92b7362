"""Random fields and smooth curves."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]
Points = NDArray[np.float64]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], *, size: float) -> Floats:
    """Return a smooth random field of zero mean and unit deviation with features of `size` samples.

    Args:
        rng: Source of randomness.
        shape: Height and width of the field.
        size: Typical width of a feature, in samples; below 1 gives white noise.

    Returns:
        The field, of the given shape.
    """
    if size < 1:
        return rng.standard_normal(shape)
    step = max(1, int(size / 2))
    coarse = rng.standard_normal((shape[0] // step + 4, shape[1] // step + 4))
    coarse = ndimage.gaussian_filter(coarse, size / (2 * step), mode="wrap")
    coarse = (coarse - coarse.mean()) / coarse.std()
    rows = np.arange(shape[0]) / step + 1
    cols = np.arange(shape[1]) / step + 1
    return interpolate(interpolate(coarse, rows).T, cols).T


def interpolate(values: Floats, positions: Floats) -> Floats:
    """Return the rows of `values` at fractional `positions`, by a smoothed linear blend."""
    low = positions.astype(int)
    weight = positions - low
    weight = (weight * weight * (3 - 2 * weight))[:, np.newaxis]
    blended = values[low]
    blended += weight * (values[low + 1] - blended)
    return blended


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], *, size: float, octaves: int, gain: float
) -> Floats:
    """Return a sum of `octaves` smooth fields, each half the size and `gain` times the amplitude.

    The result has zero mean and unit deviation.
    """
    total = np.zeros(shape)
    for octave in range(octaves):
        total += gain**octave * smooth_noise(rng, shape, size=size / 2**octave)
    total -= total.mean()
    total /= total.std()
    return total


def open_curve(points: list[tuple[float, float]], *, step: float = 2.0) -> Points:
    """Return a smooth line through `points`, sampled every `step` pixels."""
    return resample(spline(np.array(points, dtype=np.float64), closed=False), step=step)


def closed_curve(points: list[tuple[float, float]], *, step: float = 2.0) -> Points:
    """Return a smooth ring through `points`; the first point ends it again."""
    ring = np.array([*points, points[0]], dtype=np.float64)
    return resample(spline(ring, closed=True), step=step)


def spline(points: Points, *, closed: bool) -> Points:
    """Return a dense cubic spline through `points`, parametrised by chord length."""
    chord = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    curve = CubicSpline(chord, points, bc_type="periodic" if closed else "natural")
    return np.asarray(curve(np.linspace(0, chord[-1], 40 * len(points))))


def circle(centre: tuple[float, float], radius: float) -> Points:
    """Return a closed ring of points around `centre`."""
    angle = np.linspace(0, 2 * np.pi, 97)
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], 1)


def resample(points: Points, *, step: float) -> Points:
    """Return the line with points every `step` pixels of its length."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, length[-1], max(2, int(length[-1] / step) + 1))
    return np.stack([np.interp(at, length, points[:, axis]) for axis in range(2)], axis=1)


def normals(points: Points) -> Points:
    """Return the unit normal, to the right of travel on screen, at each point of a line."""
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, np.newaxis]
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def offset(points: Points, distance: float) -> Points:
    """Return the line moved sideways by `distance` pixels."""
    return points + distance * normals(points)


def box(centre: tuple[float, float], *, length: float, width: float, angle: float) -> Points:
    """Return the four corners of a rectangle turned by `angle` radians."""
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    across = np.array([-np.sin(angle), np.cos(angle)]) * width / 2
    middle = np.array(centre)
    front, back = middle + along, middle - along
    return np.stack([back - across, front - across, front + across, back + across])
