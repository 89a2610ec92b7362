"""Carriageways, kerbs, marks, car parks and cars."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sample_data.town import materials as mat
from sample_data.town.canvas import SCALE, Canvas
from sample_data.town.fields import Points, box, circle, offset, resample
from sample_data.town.plan import MEDIAN, Plan, Road, Roundabout, Site

CAR_LENGTH, CAR_WIDTH = 9.2, 4.0


def carriageways(road: Road) -> list[tuple[Points, float]]:
    """Return the centre line and width of each carriageway."""
    if road.kind != "avenue":
        return [(road.line, road.width)]
    width = (road.width - MEDIAN) / 2
    return [(offset(road.line, side * (MEDIAN + width) / 2), width) for side in (-1, 1)]


def paint_roads(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Draw all roads as one surface with rounded junctions, kerbs and lane marks."""
    for road in plan.roads:
        if road.kind == "avenue":
            canvas.fill(canvas.strip(road.line, MEDIAN + 1), mat.DRY_LAWN, label=mat.VEGETATION)
    surface, crowd = road_surface(canvas, plan)
    beside = ndimage.distance_transform_edt(~surface) / SCALE
    canvas.fill(canvas.everywhere((beside > 0) & (beside < 4.2) & ~canvas_green(canvas)), mat.PATH)
    canvas.fill(canvas.everywhere((beside > 0) & (beside < 1.1)), mat.KERB, label=mat.LAND)
    canvas.fill(canvas.everywhere(surface), mat.ASPHALT, label=mat.ROAD)
    canvas.elevation[surface | (beside < 5)] = 0.0
    canvas.taken |= beside < 6.0
    for roundabout in plan.roundabouts:
        plant_island(canvas, roundabout)
    for road in plan.roads:
        mark_road(canvas, road, crowd, rng)


def canvas_green(canvas: Canvas) -> NDArray[np.bool_]:
    """Return where the canvas is vegetation or water."""
    return (canvas.label == mat.VEGETATION) | (canvas.label == mat.WATER)


def road_surface(canvas: Canvas, plan: Plan) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Return the paved samples and how many roads meet at each."""
    surface = np.zeros(canvas.shape, dtype=bool)
    crowd = np.zeros(canvas.shape, dtype=np.uint8)
    for road in plan.roads:
        for line, width in carriageways(road):
            patch = canvas.strip(line, width)
            surface[patch.rows, patch.cols] |= patch.mask
        patch = canvas.strip(road.line, road.width + 6)
        crowd[patch.rows, patch.cols] += patch.mask
    for roundabout in plan.roundabouts:
        patch = canvas.polygon(circle(roundabout.centre, roundabout.radius))
        surface[patch.rows, patch.cols] |= patch.mask
        patch = canvas.polygon(circle(roundabout.centre, roundabout.radius + 8))
        crowd[patch.rows, patch.cols] += patch.mask
    spread = ndimage.gaussian_filter(surface.astype(np.float64), 4.5 * SCALE)
    return surface | (spread > 0.52), crowd


def plant_island(canvas: Canvas, roundabout: Roundabout) -> None:
    """Plant the middle of a roundabout."""
    inner = roundabout.radius - roundabout.ring
    canvas.fill(canvas.polygon(circle(roundabout.centre, inner)), mat.KERB, label=mat.LAND)
    lawn = canvas.polygon(circle(roundabout.centre, inner - 1.2))
    canvas.fill(lawn, mat.LAWN, label=mat.VEGETATION)
    canvas.fill(canvas.polygon(circle(roundabout.centre, inner * 0.45)), mat.SHRUB)
    canvas.fill(canvas.polygon(circle(roundabout.centre, inner * 0.22)), mat.PAVING)


def mark_road(
    canvas: Canvas, road: Road, crowd: NDArray[np.uint8], rng: np.random.Generator
) -> None:
    """Paint edge lines, lane dashes and a worn, darker wheel track."""
    alone = crowd <= 1
    for line, width in carriageways(road):
        for side in (-1, 1):
            wheels = canvas.strip(offset(line, side * width / 4), width / 5)
            canvas.fill(wheels.only(alone), mat.NEW_ASPHALT)
        if road.kind == "street":
            continue
        for side in (-1, 1):
            edge = offset(line, side * (width / 2 - 1.4))
            canvas.fill(canvas.strip(edge, 0.6).only(alone), mat.MARKING)
        dense = resample(line, step=1.0)
        start = int(rng.integers(0, 12))
        for at in range(start, len(dense) - 8, 18):
            canvas.fill(canvas.strip(dense[at : at + 7], 0.7).only(alone), mat.MARKING)


def park_cars(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Lay out car parks: bays on both sides of each aisle, most of them used."""
    for site in plan.car_parks:
        angle = float(np.radians(site.angle_deg))
        ring = box(site.centre, length=site.length + 2, width=site.width + 2, angle=angle)
        canvas.fill(canvas.polygon(ring), mat.KERB, label=mat.LAND)
        ring = box(site.centre, length=site.length, width=site.width, angle=angle)
        patch = canvas.polygon(ring)
        canvas.fill(patch, mat.PARKING, label=mat.ROAD)
        canvas.raise_to(patch, 0.0)
        canvas.take(patch)
        fill_bays(canvas, site, angle, rng)


def fill_bays(canvas: Canvas, site: Site, angle: float, rng: np.random.Generator) -> None:
    """Draw the bays of a car park and the cars in them."""
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    middle = np.array(site.centre)
    for down in bay_rows(site.width):
        for right in np.arange(-site.length / 2 + 5, site.length / 2 - 4, 5.3):
            at = middle + along * right + across * down
            line = np.stack([at + along * 2.65 - across * 5, at + along * 2.65 + across * 5])
            canvas.fill(canvas.strip(line, 0.5), mat.MARKING)
            if rng.random() < 0.62:
                place_car(canvas, at + rng.normal(0, 0.3, 2), angle + np.pi / 2, rng)


def bay_rows(width: float) -> list[float]:
    """Return the offsets of the rows of bays across a car park of `width` pixels."""
    modules = max(1, int(width // 34))
    first = -(modules - 1) * 17.0
    return [first + 34 * index + side * 11.0 for index in range(modules) for side in (-1, 1)]


def drive_cars(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Put traffic on the roads, keeping right, and some cars along the streets."""
    for road in plan.roads:
        gap = {"avenue": 70.0, "road": 90.0, "street": 75.0}[road.kind]
        lanes = {"avenue": (-17.5, -9.5, 9.5, 17.5), "road": (-5.0, 5.0), "street": (-4.2, 4.2)}
        for lane in lanes[road.kind]:
            line = resample(offset(road.line, lane), step=1.0)
            at = rng.exponential(gap)
            while at < len(line) - 2:
                here = line[int(at)]
                ahead = line[int(at) + 1] - here
                place_car(canvas, here, float(np.arctan2(ahead[1], ahead[0])), rng)
                at += 14 + rng.exponential(gap)


def place_car(canvas: Canvas, centre: Points, angle: float, rng: np.random.Generator) -> None:
    """Stamp a car on a road sample; anywhere else do nothing."""
    length = CAR_LENGTH * rng.uniform(0.9, 1.12)
    body = canvas.polygon(box(tuple(centre), length=length, width=CAR_WIDTH, angle=angle))
    if not body.mask.any() or (canvas.label[body.rows, body.cols][body.mask] != mat.ROAD).any():
        return
    weights = np.array([5, 4, 3, 2, 2, 1, 1]) / 18
    colour = mat.CAR_COLOURS[int(rng.choice(len(mat.CAR_COLOURS), p=weights))]
    canvas.fill(body, mat.Material(colour=colour, grain=0.02, mottle=0.0))
    canvas.raise_to(body, 0.8)
    along = np.array([np.cos(angle), np.sin(angle)])
    cabin = box(tuple(centre - along * 0.4), length=length * 0.6, width=3.4, angle=angle)
    canvas.fill(canvas.polygon(cabin), mat.GLASS)
    roof = canvas.polygon(
        box(tuple(centre - along * 0.6), length=length * 0.36, width=3.2, angle=angle)
    )
    canvas.fill(roof, mat.Material(colour=colour, grain=0.02, mottle=0.0))
    canvas.raise_to(roof, 1.4)
