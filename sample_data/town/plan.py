"""What a town consists of; the two towns themselves are in `towns`."""

from dataclasses import dataclass, field
from typing import Literal

from sample_data.town.fields import Points

RoadKind = Literal["avenue", "road", "street"]
RowStyle = Literal["villas", "terrace"]
MEDIAN = 9.0
WIDTHS: dict[RoadKind, float] = {"avenue": 43.0, "road": 20.0, "street": 13.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """A road along a line; an avenue has two carriageways and a planted median."""

    line: Points
    kind: RoadKind

    @property
    def width(self) -> float:
        """Total width in pixels, median included."""
        return WIDTHS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roundabout:
    """A ring road around a planted island; `radius` is that of the outer kerb, in pixels."""

    centre: tuple[float, float]
    radius: float
    ring: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Plots with houses along one side of a street.

    Attributes:
        line: Centre line of the street.
        side: 1 right of the line as drawn, -1 left of it.
        first: Distance of the front wall from the line, in pixels.
        depth: Depth of a plot, in pixels.
        plot: Width of a plot, in pixels.
        style: Free-standing villas or joined houses.
        tiled: Share of houses with tiled hip roofs.
    """

    line: Points
    side: Literal[-1, 1]
    first: float = 13.5
    depth: float = 45.0
    plot: float = 38.0
    style: RowStyle = "villas"
    tiled: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A large flat-roofed building; a positive `court` is the width of its wings around a yard."""

    centre: tuple[float, float]
    length: float
    width: float
    angle_deg: float
    storey_m: float = 11.0
    court: float = 0.0
    ribbed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A turned rectangle on the ground: a car park or a sports court."""

    centre: tuple[float, float]
    length: float
    width: float
    angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grove:
    """An area planted with trees; `spacing` is the mean distance of trees in pixels."""

    ring: Points
    spacing: float
    palms: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A scene: size in pixels, seed, place on the map, and everything in it.

    Attributes:
        height: Rows of the scene.
        width: Columns of the scene.
        seed: Seed of every random choice.
        left: Map x of the left edge, in metres.
        top: Map y of the top edge, in metres.
        footprint: Ring outside which the scene has no data.
    """

    height: int
    width: int
    seed: int
    left: float
    top: float
    footprint: Points
    water: list[Points] = field(default_factory=list)
    islands: list[Points] = field(default_factory=list)
    lawns: list[Points] = field(default_factory=list)
    bunkers: list[Points] = field(default_factory=list)
    lots: list[Points] = field(default_factory=list)
    groves: list[Grove] = field(default_factory=list)
    paths: list[Points] = field(default_factory=list)
    tracks: list[Points] = field(default_factory=list)
    roads: list[Road] = field(default_factory=list)
    roundabouts: list[Roundabout] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    car_parks: list[Site] = field(default_factory=list)
    courts: list[Site] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
