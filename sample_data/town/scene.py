"""A plan in; pixels, labels and footprint out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_data.town import buildings, ground, plants, roads, sensor
from sample_data.town.canvas import Canvas
from sample_data.town.light import illuminate
from sample_data.town.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A finished scene.

    Attributes:
        pixels: Brightness, (BANDS, height, width), 0-255 and a little beyond.
        labels: Class index, 255 outside the footprint, (height, width).
        inside: True where the scene has data, (height, width).
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.uint8]
    inside: NDArray[np.bool_]


def build(plan: Plan) -> Canvas:
    """Draw everything of a plan on a canvas."""
    streams = iter(np.random.default_rng(plan.seed).spawn(12))
    canvas = Canvas(height=plan.height, width=plan.width, rng=next(streams))
    ground.paint_sand(canvas, next(streams))
    ground.paint_lots(canvas, plan, next(streams))
    ground.paint_tracks(canvas, plan)
    ground.paint_water(canvas, plan, next(streams))
    ground.paint_lawns(canvas, plan, next(streams))
    ground.paint_paths(canvas, plan)
    roads.paint_roads(canvas, plan, next(streams))
    roads.park_cars(canvas, plan, next(streams))
    buildings.lay_courts(canvas, plan)
    buildings.build_blocks(canvas, plan, next(streams))
    buildings.build_rows(canvas, plan, next(streams))
    roads.drive_cars(canvas, plan, next(streams))
    plants.plant_all(canvas, plan, next(streams))
    return canvas


def photograph(plan: Plan) -> Picture:
    """Build a plan, light it and expose it."""
    canvas = build(plan)
    inside = sensor.footprint(canvas, plan)
    rng = np.random.default_rng(plan.seed + 1)
    return Picture(
        pixels=sensor.expose(illuminate(canvas), rng),
        labels=sensor.classes(canvas, inside),
        inside=inside,
    )
