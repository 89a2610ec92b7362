"""Houses on plots, and large blocks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sample_data.town import materials as mat
from sample_data.town.canvas import METRES_PER_PIXEL, Canvas, Patch
from sample_data.town.fields import Floats, Points, box, offset, resample
from sample_data.town.materials import Material
from sample_data.town.plan import Block, Plan, Row

Pair = tuple[float, float]
SIDE_YARD, FRONT_YARD = 3.6, 6.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A local frame: origin in pixels and the direction of its first axis in radians."""

    origin: Points
    angle: float

    def place(self, along: float, across: float) -> Pair:
        """Return the (col, row) of a local position."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return (
            float(self.origin[0] + along * cosine - across * sine),
            float(self.origin[1] + along * sine + across * cosine),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wing:
    """A box-shaped part of a building in its frame; lengths in pixels, `eaves_m` in metres."""

    along: float
    across: float
    length: float
    width: float
    eaves_m: float
    roof: Literal["flat", "hip"] = "flat"


def build_wing(canvas: Canvas, frame: Frame, wing: Wing, material: Material) -> None:
    """Raise a wing where it tops what stands there: a flat roof with parapet, or four slopes."""
    centre = frame.place(wing.along, wing.across)
    ring = box(centre, length=wing.length, width=wing.width, angle=frame.angle)
    patch = canvas.polygon(ring)
    right, down = canvas.local(patch, np.array(centre), frame.angle)
    inward = np.minimum(wing.length / 2 - np.abs(right), wing.width / 2 - np.abs(down))
    if wing.roof == "hip":
        above = 0.5 * METRES_PER_PIXEL * np.maximum(inward, 0)
    else:
        above = np.where(inward < 0.9, 0.8, 0.0)
    top: Floats = np.asarray(wing.eaves_m + above, dtype=np.float64)
    higher = patch.mask & (top > canvas.elevation[patch.rows, patch.cols])
    patch = Patch(rows=patch.rows, cols=patch.cols, mask=higher)
    canvas.fill(patch, material, label=mat.BUILDING)
    canvas.raise_to(patch, top)


def toned(material: Material, tone: float) -> Material:
    """Return the material brighter or darker by the factor `tone`."""
    red, green, blue, infrared = (min(250.0, tone * value) for value in material.colour)
    return Material(
        colour=(red, green, blue, infrared), grain=material.grain, mottle=material.mottle
    )


def equip_roof(
    canvas: Canvas, frame: Frame, wing: Wing, *, rng: np.random.Generator, count: int
) -> None:
    """Put air conditioners, tanks and a stair head on a flat roof."""
    for _ in range(count):
        size = rng.uniform(1.6, 4.2, size=2)
        unit = Wing(
            along=wing.along + rng.uniform(-0.4, 0.4) * (wing.length - 5),
            across=wing.across + rng.uniform(-0.4, 0.4) * (wing.width - 5),
            length=float(size[0]),
            width=float(size[1]),
            eaves_m=wing.eaves_m + rng.uniform(0.5, 1.4),
        )
        build_wing(canvas, frame, unit, toned(mat.EQUIPMENT, rng.uniform(0.55, 1.25)))


def villa_wings(rng: np.random.Generator, length: float, width: float, *, hip: bool) -> list[Wing]:
    """Return a main part and annexes that make rectangular, L, T, U and stepped footprints."""
    roof: Literal["flat", "hip"] = "hip" if hip else "flat"
    shape = str(rng.choice(["L", "L", "U", "T", "step", "plain"]))
    eaves = float(rng.uniform(6.2, 8.2))
    turn = float(rng.choice([-1, 1]))
    deep = width * (1.0 if shape == "plain" else rng.uniform(0.5, 0.66))
    main = Wing(
        along=0, across=(deep - width) / 2, length=length, width=deep, eaves_m=eaves, roof=roof
    )
    arm = length * rng.uniform(0.32, 0.44)
    edge = (length - arm) / 2
    low = eaves - float(rng.choice([0.0, 0.0, 1.0, 3.2]))
    places = {
        "L": [turn * edge],
        "U": [-edge, edge],
        "T": [turn * 0.1 * length],
        "step": [turn * edge * 0.6],
        "plain": [],
    }[shape]
    reach = width if shape != "step" else width * 0.85
    wings = [
        Wing(along=at, across=(reach - width) / 2, length=arm, width=reach, eaves_m=low, roof=roof)
        for at in places
    ]
    if rng.random() < 0.75 and not hip:
        tower = Wing(
            along=-turn * length * rng.uniform(0.1, 0.3),
            across=(deep - width) / 2,
            length=length * rng.uniform(0.22, 0.4),
            width=deep * rng.uniform(0.45, 0.8),
            eaves_m=eaves + float(rng.uniform(2.4, 3.4)),
        )
        wings.append(tower)
    if rng.random() < 0.6:
        wings.append(
            Wing(
                along=-turn * length * 0.33,
                across=-width / 2 - 1.5,
                length=length * 0.3,
                width=5.5,
                eaves_m=3.2,
            )
        )
    return [main, *wings]


def build_villa(
    canvas: Canvas, frame: Frame, size: Pair, *, row: Row, rng: np.random.Generator
) -> None:
    """Build one house of `size` (along the street, away from it) at the frame's origin."""
    hip = rng.random() < row.tiled
    roofs = mat.TILED_ROOFS if hip else mat.VILLA_ROOFS
    roof = toned(roofs[int(rng.integers(len(roofs)))], rng.uniform(0.9, 1.05))
    wings = villa_wings(rng, size[0], size[1], hip=hip)
    for wing in wings:
        build_wing(canvas, frame, wing, toned(roof, rng.uniform(0.93, 1.04)))
    if not hip:
        equip_roof(canvas, frame, wings[0], rng=rng, count=int(rng.integers(2, 6)))


def build_rows(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Divide the land along streets into plots and build on the free ones."""
    for row in plan.rows:
        line = resample(row.line, step=row.plot)
        front = offset(line, row.side * row.first)
        back = offset(line, row.side * (row.first + row.depth))
        for at in range(len(line) - 1):
            ring = np.stack([front[at], front[at + 1], back[at + 1], back[at]])
            short = min(np.hypot(*(ring[1] - ring[0])), np.hypot(*(ring[2] - ring[3])))
            if short > 0.62 * row.plot and canvas.is_free(canvas.polygon(ring), share=0.035):
                settle(canvas, ring, row, rng=rng)


def settle(canvas: Canvas, ring: Points, row: Row, *, rng: np.random.Generator) -> None:
    """Fence a plot, lay out its garden and build its house."""
    front, back = (ring[0] + ring[1]) / 2, (ring[2] + ring[3]) / 2
    inward = (back - front) / np.hypot(*(back - front))
    angle = float(np.arctan2(-inward[0], inward[1]))
    patch = canvas.polygon(ring)
    canvas.fill(patch, toned(mat.YARD, rng.uniform(0.8, 1.12)), label=mat.LAND)
    canvas.raise_to(patch, 0.0)
    canvas.take(patch)
    short = float(min(np.hypot(*(ring[1] - ring[0])), np.hypot(*(ring[2] - ring[3]))))
    joined = row.style == "terrace"
    length = short if joined else (short - 2 * SIDE_YARD) * rng.uniform(0.86, 1.0)
    width = row.depth * (rng.uniform(0.5, 0.56) if joined else rng.uniform(0.52, 0.66))
    lay_garden(canvas, ring, Frame(origin=back, angle=angle), room=row.depth - width, rng=rng)
    middle = front + inward * (FRONT_YARD + width / 2)
    for side in ((ring[1], ring[2]), (ring[2], ring[3]), (ring[3], ring[0])):
        wall = canvas.strip(np.stack(side), 1.0)
        canvas.fill(wall, mat.WALL)
        canvas.raise_to(wall, 1.8)
    build_villa(canvas, Frame(origin=middle, angle=angle), (length, width), row=row, rng=rng)


def lay_garden(
    canvas: Canvas, ring: Points, frame: Frame, *, room: float, rng: np.random.Generator
) -> None:
    """Lay lawn, terrace, drive and perhaps a pool; the frame's origin is mid back wall."""
    centre = ring.mean(axis=0)
    rear = centre + (frame.origin - centre) * 0.62
    half = 0.40 * float(np.hypot(*(ring[2] - ring[3])))
    drive = frame.place(float(rng.choice([-1, 1])) * half * 0.6, 0)
    front = (ring[0] + ring[1]) / 2 + np.array(drive) - frame.origin
    canvas.fill(
        canvas.strip(np.stack([front, front * 0.6 + centre * 0.4]), 8.0),
        toned(mat.PAVING, rng.uniform(0.75, 1.1)),
    )
    if rng.random() < 0.55:
        lawn = canvas.polygon(
            box(
                (float(rear[0]), float(rear[1])),
                length=2 * half * 0.9,
                width=room * 0.55,
                angle=frame.angle,
            )
        )
        canvas.fill(lawn, toned(mat.LAWN, rng.uniform(0.85, 1.2)), label=mat.VEGETATION)
    if rng.random() < 0.4:
        spot = frame.place(rng.uniform(-0.5, 0.5) * half, -room * 0.30)
        size = rng.uniform(7.5, 12)
        deck = box(spot, length=size + 5, width=9.0, angle=frame.angle)
        canvas.fill(canvas.polygon(deck), mat.PAVING, label=mat.LAND)
        pool = canvas.polygon(box(spot, length=size, width=4.8, angle=frame.angle))
        canvas.fill(pool, toned(mat.POOL, rng.uniform(0.85, 1.1)), label=mat.WATER)


def lay_courts(canvas: Canvas, plan: Plan) -> None:
    """Mark out the sports courts."""
    for site in plan.courts:
        angle = float(np.radians(site.angle_deg))
        for shrink, material in ((0, mat.COURT), (8, mat.MARKING), (9.6, mat.COURT_INNER)):
            ring = box(
                site.centre, length=site.length - shrink, width=site.width - shrink, angle=angle
            )
            canvas.fill(canvas.polygon(ring), material, label=mat.LAND)
        net = box(site.centre, length=0.8, width=site.width - 8, angle=angle)
        canvas.fill(canvas.polygon(net), mat.MARKING)
        canvas.keep_clear(
            canvas.polygon(box(site.centre, length=site.length, width=site.width, angle=angle))
        )


def build_blocks(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Build the large buildings, each on a paved apron."""
    for block in plan.blocks:
        angle = float(np.radians(block.angle_deg))
        apron = canvas.polygon(
            box(block.centre, length=block.length + 16, width=block.width + 16, angle=angle)
        )
        canvas.fill(apron, toned(mat.PAVING, rng.uniform(0.85, 1.08)), label=mat.LAND)
        canvas.raise_to(apron, 0.0)
        canvas.take(apron)
        roof = toned(
            mat.BLOCK_ROOFS[int(rng.integers(len(mat.BLOCK_ROOFS)))], rng.uniform(0.94, 1.04)
        )
        build_block(canvas, block, roof, rng=rng)


def block_wings(block: Block, rng: np.random.Generator) -> list[Wing]:
    """Return one hall, or four wings around a court."""
    if block.court <= 0:
        return [
            Wing(along=0, across=0, length=block.length, width=block.width, eaves_m=block.storey_m)
        ]
    wings = []
    for side in (-1, 1):
        across = side * (block.width - block.court) / 2
        wings.append(
            Wing(
                along=0,
                across=across,
                length=block.length,
                width=block.court,
                eaves_m=block.storey_m + rng.uniform(-0.5, 0.5),
            )
        )
        along = side * (block.length - block.court) / 2
        wings.append(
            Wing(
                along=along,
                across=0,
                length=block.court,
                width=block.width,
                eaves_m=block.storey_m + rng.uniform(-2.5, 3.0),
            )
        )
    return wings


def build_block(canvas: Canvas, block: Block, roof: Material, *, rng: np.random.Generator) -> None:
    """Build the wings of a block and what stands on their roofs."""
    frame = Frame(origin=np.array(block.centre), angle=float(np.radians(block.angle_deg)))
    wings = block_wings(block, rng)
    for wing in wings:
        build_wing(canvas, frame, wing, toned(roof, rng.uniform(0.95, 1.03)))
    for wing in wings:
        if block.ribbed:
            rib_roof(canvas, frame, wing, roof)
            continue
        area = wing.length * wing.width
        equip_roof(canvas, frame, wing, rng=rng, count=int(area / 190))
        stair = Wing(
            along=wing.along + wing.length * rng.uniform(-0.3, 0.3),
            across=wing.across,
            length=9.0,
            width=min(8.0, wing.width * 0.6),
            eaves_m=wing.eaves_m + 3.0,
        )
        build_wing(canvas, frame, stair, toned(roof, 0.97))


def rib_roof(canvas: Canvas, frame: Frame, wing: Wing, roof: Material) -> None:
    """Fold a hall's roof into shallow ridges with skylights."""
    for index, at in enumerate(np.arange(-wing.length / 2 + 6, wing.length / 2 - 5, 12.0)):
        ridge = Wing(
            along=wing.along + float(at),
            across=wing.across,
            length=10.0,
            width=wing.width - 3,
            eaves_m=wing.eaves_m + 0.1,
            roof="hip",
        )
        build_wing(canvas, frame, ridge, toned(roof, 0.98 if index % 4 else 0.86))
