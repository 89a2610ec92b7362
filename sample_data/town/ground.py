"""Sand, tracks, lawns and water."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sample_data.town import materials as mat
from sample_data.town.canvas import SCALE, Canvas
from sample_data.town.fields import fractal_noise, offset, smooth_noise
from sample_data.town.plan import Plan


def paint_sand(canvas: Canvas, rng: np.random.Generator) -> None:
    """Cover the canvas with sand: warm and cool drifts, gravel, faint wind ripples."""
    canvas.fill(canvas.everywhere(np.ones(canvas.shape, dtype=bool)), mat.SAND, label=mat.LAND)
    drift = fractal_noise(rng, canvas.shape, size=300, octaves=4, gain=0.6)
    warm = smooth_noise(rng, canvas.shape, size=200) + 0.5 * smooth_noise(
        rng, canvas.shape, size=70
    )
    gravel = np.clip(fractal_noise(rng, canvas.shape, size=130, octaves=5, gain=0.75) - 0.7, 0, 1.2)
    brightness = 1 + 0.075 * drift - 0.17 * gravel * (1 + 0.35 * canvas.grain)
    for band, tint in enumerate((0.022, 0.004, -0.034, 0.02)):
        canvas.albedo[band] *= (brightness * (1 + tint * warm)).astype(np.float32)
    canvas.elevation += (0.10 * smooth_noise(rng, canvas.shape, size=14)).astype(np.float32)
    canvas.elevation += (0.022 * canvas.grain).astype(np.float32)


def paint_lots(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Level building lots to bare, slightly different ground."""
    for ring in plan.lots:
        patch = canvas.polygon(ring)
        tone = rng.uniform(0.84, 1.04)
        tint = rng.normal(0, 0.015, size=3)
        for band in range(3):
            layer = canvas.albedo[band][patch.rows, patch.cols]
            layer[patch.mask] *= tone * (1 + tint[band])


def paint_tracks(canvas: Canvas, plan: Plan) -> None:
    """Draw wheel tracks across the sand."""
    for line in plan.tracks:
        weight = np.zeros(canvas.shape)
        for side in (-1.9, 1.9):
            patch = canvas.strip(offset(line, side), 1.6)
            weight[patch.rows, patch.cols] += 0.5 * patch.mask
        patch = canvas.strip(line, 8.0)
        weight[patch.rows, patch.cols] += 0.4 * patch.mask
        faint = np.clip(0.9 + 0.4 * canvas.mottle, 0.2, 1)
        canvas.blend(np.clip(ndimage.gaussian_filter(weight, 1.2), 0, 1) * faint, mat.TRACK)


def paint_water(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Fill lagoons with dark water, pale in the shallows, glittering in the wind."""
    wet = np.zeros(canvas.shape, dtype=bool)
    for ring in plan.water:
        patch = canvas.polygon(ring)
        wet[patch.rows, patch.cols] |= patch.mask
    for ring in plan.islands:
        patch = canvas.polygon(ring)
        wet[patch.rows, patch.cols] &= ~patch.mask
    if not wet.any():
        return
    outside = ndimage.distance_transform_edt(~wet) / SCALE
    quay = (outside > 0) & (outside < 5.5)
    canvas.fill(canvas.everywhere(quay), mat.QUAY, label=mat.LAND)
    canvas.fill(canvas.everywhere((outside > 3.4) & (outside < 4.2)), mat.TRACK)
    canvas.fill(canvas.everywhere(wet), mat.DEEP_WATER, label=mat.WATER)
    shade_water(canvas, wet, rng)
    canvas.elevation[wet] = -1.2
    canvas.taken |= outside < 9.0


def shade_water(canvas: Canvas, wet: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Mix in shallows along the shore, algae clouds, and glitter in wind lanes."""
    depth = ndimage.distance_transform_edt(wet) / SCALE
    clouds = fractal_noise(rng, canvas.shape, size=240, octaves=4, gain=0.6)
    shallow = np.exp(-depth / (5.0 + 3.0 * np.clip(clouds, -1, 2))) * 0.75
    algae = np.clip(0.06 + 0.2 * clouds, 0, 0.6)
    canvas.blend(np.where(wet, np.clip(shallow + algae, 0, 0.85), 0), mat.SHALLOW_WATER)
    lanes = np.clip(fractal_noise(rng, canvas.shape, size=170, octaves=3, gain=0.7) - 0.1, 0, 1.5)
    waves = ndimage.gaussian_filter(rng.standard_normal(canvas.shape), (0.8, 1.8))
    glitter = np.where(wet, np.maximum(waves / waves.std() - 0.4, 0) * lanes, 0)
    for band, strength in enumerate((12.0, 10.5, 9.0, 3.0)):
        canvas.albedo[band] += (strength * glitter).astype(np.float32)


def paint_lawns(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Grow lawns with drier patches, then cut bunkers into them."""
    dry = fractal_noise(rng, canvas.shape, size=90, octaves=4, gain=0.7)
    for ring in plan.lawns:
        patch = canvas.polygon(ring).only(~canvas.taken)
        canvas.fill(patch, mat.LAWN, label=mat.VEGETATION)
        weight = np.zeros(canvas.shape)
        weight[patch.rows, patch.cols] = patch.mask
        canvas.blend(weight * np.clip(0.30 + 0.40 * dry, 0, 0.9), mat.DRY_LAWN)
        canvas.take(patch)
    for ring in plan.bunkers:
        canvas.fill(canvas.polygon(ring), mat.BUNKER, label=mat.LAND)
        canvas.raise_to(canvas.polygon(ring), -0.3)
        canvas.keep_clear(canvas.polygon(ring))


def paint_paths(canvas: Canvas, plan: Plan) -> None:
    """Lay pale footpaths."""
    for line in plan.paths:
        patch = canvas.strip(line, 4.2)
        canvas.fill(patch, mat.PATH, label=mat.LAND)
        canvas.keep_clear(patch)
