"""From the lit canvas to the pixels and labels of a file."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sample_data.town.canvas import SCALE, Canvas
from sample_data.town.fields import smooth_noise
from sample_data.town.materials import ABSENT, CLASS_NAMES
from sample_data.town.plan import Plan

HAZE = (5.0, 6.0, 9.0, 2.5)
PAN_BLUR, COLOUR_BLUR, SHARPENING = 0.55, 1.25, 0.5
COUNT_STEP = 4
Grid = NDArray[np.float32]


def expose(lit: Grid, rng: np.random.Generator) -> Grid:
    """Return pixels 0-255 as of a pan-sharpened product.

    Detail and noise come from one sharp panchromatic band, colour from blurred bands; haze lifts
    the shadows.
    """
    bands, height, width = lit.shape
    small = lit.reshape(bands, height // SCALE, SCALE, width // SCALE, SCALE).mean(axis=(2, 4))
    pan = small.mean(axis=0)
    sharp = ndimage.gaussian_filter(pan, PAN_BLUR)
    sharp += SHARPENING * (sharp - ndimage.gaussian_filter(sharp, 1.3))
    noise = rng.standard_normal(pan.shape) + 0.5 * smooth_noise(rng, pan.shape, size=3)
    sharp += noise * (0.9 + 0.010 * np.clip(sharp, 0, 255))
    for band, haze in enumerate(HAZE):
        layer = sharp + ndimage.gaussian_filter(small[band] - pan, COLOUR_BLUR)
        small[band] = haze + layer * (1 - haze / 255)
    return small


def classes(canvas: Canvas, inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the most frequent class of each pixel, and `ABSENT` outside the footprint."""
    height, width = canvas.shape
    blocks = canvas.label.reshape(height // SCALE, SCALE, width // SCALE, SCALE)
    votes = [(blocks == index).sum(axis=(1, 3)) for index in range(len(CLASS_NAMES))]
    winner = np.argmax(np.stack(votes), axis=0).astype(np.uint8)
    return np.where(inside, winner, ABSENT).astype(np.uint8)


def footprint(canvas: Canvas, plan: Plan) -> NDArray[np.bool_]:
    """Return the pixels that carry data, (height, width)."""
    inside = np.zeros(canvas.shape, dtype=bool)
    patch = canvas.polygon(plan.footprint)
    inside[patch.rows, patch.cols] = patch.mask
    return inside[::SCALE, ::SCALE]


def to_uint8(pixels: Grid, inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the first three bands as bytes 1-255, 0 outside the footprint."""
    values = np.clip(np.rint(pixels[:3]), 1, 255)
    return np.where(inside, values, 0).astype(np.uint8)


def to_uint16(pixels: Grid, inside: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return four bands as raw counts 200 to 2900 in steps of 4, 0 outside the footprint."""
    counts = COUNT_STEP * np.rint((210 + 10.2 * pixels) / COUNT_STEP)
    values = np.clip(counts, 200, 2900)
    return np.where(inside, values, 0).astype(np.uint16)
