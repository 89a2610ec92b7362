"""Trees, palms and desert scrub."""

import numpy as np

from sample_data.town import materials as mat
from sample_data.town.buildings import toned
from sample_data.town.canvas import SCALE, Canvas, Patch
from sample_data.town.fields import Points, normals, resample
from sample_data.town.materials import Material
from sample_data.town.plan import Grove, Plan


def crown(
    canvas: Canvas,
    centre: Points,
    *,
    radius: float,
    top_m: float,
    palm: bool,
    material: Material,
    rng: np.random.Generator,
    label: int | None = mat.VEGETATION,
) -> None:
    """Stamp a crown: a lumpy dome, or the star of a palm's fronds."""
    rows, cols = canvas.window(
        np.array([centre - radius * 1.3, centre + radius * 1.3]) * SCALE, margin=0
    )
    patch = Patch(
        rows=rows,
        cols=cols,
        mask=np.ones((rows.stop - rows.start, cols.stop - cols.start), dtype=bool),
    )
    if patch.mask.size == 0:
        return
    right, down = canvas.local(patch, centre, 0.0)
    angle = np.arctan2(down, right)
    phase = rng.uniform(0, 2 * np.pi, size=3)
    if palm:
        edge = radius * (0.78 + 0.3 * np.cos(7 * angle + phase[0]))
    else:
        edge = radius * (
            1
            + 0.12 * np.cos(2 * angle + phase[0])
            + 0.1 * np.cos(3 * angle + phase[1])
            + 0.07 * np.cos(5 * angle + phase[2])
        )
    away = np.hypot(right, down) / np.maximum(edge, 0.1)
    texture = canvas.grain[rows, cols]
    dome = top_m * (0.45 + 0.55 * np.sqrt(np.clip(1 - away**2, 0, 1))) + 0.22 * texture * (away < 1)
    mask = (away < 1) & (dome > canvas.elevation[rows, cols])
    patch = Patch(rows=rows, cols=cols, mask=mask)
    canvas.fill(patch, material, label=label)
    canvas.raise_to(patch, dome)


def plant(canvas: Canvas, at: Points, *, palm: bool, rng: np.random.Generator) -> None:
    """Plant one tree or palm unless a road, water or building is there."""
    col, row = int(at[0] * SCALE), int(at[1] * SCALE)
    if not (0 <= row < canvas.shape[0] and 0 <= col < canvas.shape[1]):
        return
    if canvas.label[row, col] in (mat.ROAD, mat.WATER, mat.BUILDING) or canvas.clear[row, col]:
        return
    tone = float(np.clip(rng.normal(1.0, 0.17), 0.65, 1.5))
    if palm:
        crown(
            canvas,
            at,
            radius=rng.uniform(3.2, 4.6),
            top_m=rng.uniform(3.5, 6),
            palm=True,
            material=toned(mat.PALM, tone),
            rng=rng,
        )
    else:
        radius = float(np.clip(rng.lognormal(1.25, 0.35), 1.8, 7.0))
        crown(
            canvas,
            at,
            radius=radius,
            top_m=1.0 + radius * 0.62,
            palm=False,
            material=toned(mat.TREE, tone),
            rng=rng,
        )


def plant_groves(canvas: Canvas, groves: list[Grove], rng: np.random.Generator) -> None:
    """Scatter clustered trees inside each grove."""
    for grove in groves:
        low, high = grove.ring.min(axis=0), grove.ring.max(axis=0)
        patch = canvas.polygon(grove.ring)
        count = int(np.prod(high - low) / grove.spacing**2)
        spots = rng.uniform(low, high, size=(count, 2))
        for spot in spots:
            row = int(spot[1] * SCALE) - patch.rows.start
            col = int(spot[0] * SCALE) - patch.cols.start
            inside = 0 <= row < patch.mask.shape[0] and 0 <= col < patch.mask.shape[1]
            if inside and patch.mask[row, col]:
                clump(canvas, spot, palms=grove.palms, rng=rng)


def clump(canvas: Canvas, spot: Points, *, palms: float, rng: np.random.Generator) -> None:
    """Plant one to four neighbours."""
    palm = rng.random() < palms
    for _ in range(int(rng.integers(1, 4))):
        plant(canvas, spot + rng.normal(0, 4.5, size=2), palm=palm, rng=rng)


def plant_avenues(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Line medians and verges with palms and trees."""
    for road in plan.roads:
        if road.kind == "street":
            continue
        sides = [road.width / 2 + 6.0, -road.width / 2 - 6.0]
        sides += [0.0] if road.kind == "avenue" else []
        for side in sides:
            line = resample(road.line, step=15.0)
            for at in line + side * normals(line):
                if rng.random() < 0.72:
                    plant(canvas, at + rng.normal(0, 0.8, 2), palm=side == 0, rng=rng)


def plant_gardens(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Plant trees along the walls of plots and hedges at the street."""
    for row in plan.rows:
        line = resample(row.line, step=7.0)
        side = row.side * normals(line)
        for distance, chance in ((row.first + 2.5, 0.35), (row.first + row.depth - 5, 0.62)):
            for at in line + side * distance:
                if rng.random() < chance:
                    plant(canvas, at + rng.normal(0, 2.4, 2), palm=rng.random() < 0.3, rng=rng)


def scatter_scrub(canvas: Canvas, rng: np.random.Generator) -> None:
    """Dot the open sand with small bushes, denser in hollows; they stay land in the labels."""
    height, width = canvas.shape
    for _ in range(int(height * width / 2200)):
        at = rng.uniform((0, 0), (width / SCALE, height / SCALE))
        row, col = int(at[1] * SCALE), int(at[0] * SCALE)
        if canvas.taken[row, col] or canvas.mottle[row, col] < rng.normal(0.2, 0.8):
            continue
        radius = float(rng.uniform(0.5, 1.3))
        crown(
            canvas,
            at,
            radius=radius,
            top_m=radius * 0.7,
            palm=False,
            material=toned(mat.SHRUB, rng.uniform(0.8, 1.5)),
            rng=rng,
            label=None,
        )


def plant_all(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Plant everything green of a plan."""
    scatter_scrub(canvas, rng)
    plant_groves(canvas, plan.groves, rng)
    plant_avenues(canvas, plan, rng)
    plant_gardens(canvas, plan, rng)
