"""The second town: apartment blocks and a round garden above a canal."""

import numpy as np

from sample_data.town.fields import Points, circle, closed_curve, open_curve
from sample_data.town.plan import Block, Grove, Plan, Road, Roundabout, Row, Site

HEIGHT, WIDTH = 640, 640
HUB = (292.0, 382.0)
GARDEN = (446.0, 136.0)
FOOTPRINT = np.array(
    [(-10, 24), (322, 6), (322, 14), (612, -2), (629, 318), (622, 318), (640, 652), (25, 652)],
    dtype=np.float64,
)


def canal_town() -> Plan:
    """Return the plan of the second town."""
    streets = lay_streets()
    return Plan(
        height=HEIGHT,
        width=WIDTH,
        seed=20240923,
        left=331_985.0,
        top=2_787_420.0,
        footprint=FOOTPRINT,
        roads=lay_roads(streets),
        roundabouts=[
            Roundabout(centre=HUB, radius=36),
            Roundabout(centre=GARDEN, radius=72, ring=14),
        ],
        water=[canal()],
        lawns=lawns(),
        bunkers=[closed_curve([(52, 622), (70, 612), (88, 620), (74, 634)])],
        paths=paths(),
        groves=groves(),
        lots=lots(),
        tracks=tracks(),
        blocks=blocks(),
        car_parks=car_parks(),
        courts=[Site(centre=(204, 610), length=58, width=30, angle_deg=-8)],
        rows=house_rows(streets),
    )


def lay_roads(streets: dict[str, Points]) -> list[Road]:
    """Return the avenue, the two through roads and the streets."""
    return [
        Road(line=open_curve([(-60, 446), (100, 436), (200, 416), HUB]), kind="avenue"),
        Road(line=open_curve([HUB, (390, 342), (500, 270), (600, 190), (720, 100)]), kind="avenue"),
        Road(line=open_curve([HUB, (322, 450), (346, 540), (340, 720)]), kind="road"),
        Road(line=open_curve([HUB, (262, 310), (240, 200), (246, 80), (236, -60)]), kind="road"),
        *(Road(line=line, kind="street") for line in streets.values()),
    ]


def canal() -> Points:
    """Return the banks of the canal."""
    return closed_curve(
        [
            (-90, 506),
            (60, 498),
            (190, 494),
            (310, 478),
            (430, 446),
            (540, 386),
            (620, 330),
            (760, 230),
            (770, 330),
            (640, 420),
            (570, 476),
            (460, 524),
            (350, 548),
            (262, 566),
            (170, 572),
            (90, 592),
            (-90, 600),
        ]
    )


def lay_streets() -> dict[str, Points]:
    """Return the centre lines of the residential streets."""
    return {
        "west": open_curve([(-60, 250), (60, 252), (150, 242), (244, 230)]),
        "north": open_curve([(-60, 84), (80, 90), (160, 88), (246, 80)]),
        "cross": open_curve([(108, 88), (114, 170), (112, 248)]),
        "gate": open_curve([(243, 166), (310, 160), (378, 148)]),
        "spoke": open_curve([(470, 200), (494, 236), (508, 266)]),
        "east": open_curve([(514, 118), (570, 84), (700, 20)]),
        "bank": open_curve([(346, 590), (440, 590), (530, 552), (612, 492), (720, 400)]),
        "low": open_curve([(440, 590), (470, 640), (490, 720)]),
    }


def house_rows(streets: dict[str, Points]) -> list[Row]:
    """Return the rows of houses along the streets."""
    rows = [Row(line=circle(GARDEN, 72), side=-1, first=8.0, depth=42.0, plot=26.0, tiled=0.5)]
    rows += [
        Row(line=streets["bank"], side=side, plot=36.0, depth=38.0, tiled=0.3) for side in (-1, 1)
    ]
    rows += [Row(line=streets["gate"], side=side, plot=34.0, tiled=0.1) for side in (-1, 1)]
    rows += [Row(line=streets["east"], side=side, tiled=0.1) for side in (-1, 1)]
    rows.append(Row(line=streets["low"], side=-1, tiled=0.3))
    return rows


def lawns() -> list[Points]:
    """Return the lawns: the waterfront, and the park south-west of the bridge."""
    return [
        closed_curve(
            [
                (-40, 470),
                (100, 464),
                (210, 446),
                (262, 428),
                (296, 442),
                (300, 464),
                (200, 480),
                (60, 486),
                (-40, 492),
            ]
        ),
        closed_curve(
            [(20, 610), (100, 606), (180, 586), (262, 580), (322, 566), (328, 690), (20, 690)]
        ),
        closed_curve(
            [
                (350, 400),
                (420, 370),
                (500, 322),
                (560, 290),
                (588, 300),
                (530, 366),
                (430, 424),
                (356, 446),
            ]
        ),
    ]


def paths() -> list[Points]:
    """Return the footpaths."""
    return [
        open_curve([(-40, 489), (60, 483), (190, 477), (306, 460)]),
        open_curve([(330, 462), (430, 430), (530, 376), (606, 322)]),
        open_curve([(20, 640), (100, 622), (180, 640), (260, 600), (330, 590)]),
        open_curve([(120, 700), (150, 640), (170, 588)]),
    ]


def groves() -> list[Grove]:
    """Return the planted areas."""
    waterfront, park, bank = lawns()
    return [
        Grove(ring=circle(GARDEN, 55), spacing=19, palms=0.4),
        Grove(ring=park, spacing=23, palms=0.25),
        Grove(ring=waterfront, spacing=22, palms=0.5),
        Grove(ring=bank, spacing=20, palms=0.3),
        Grove(
            ring=closed_curve([(20, 640), (120, 630), (140, 700), (20, 700)]),
            spacing=13,
            palms=0.05,
        ),
    ]


def lots() -> list[Points]:
    """Return levelled, unbuilt lots."""
    return [
        np.array(ring, dtype=np.float64)
        for ring in (
            [(4, 6), (228, 4), (230, 68), (8, 74)],
            [(540, 230), (640, 150), (640, 280), (600, 300)],
        )
    ]


def tracks() -> list[Points]:
    """Return wheel tracks."""
    return [
        open_curve([(300, 330), (350, 280), (400, 250), (450, 250)]),
        open_curve([(500, 700), (560, 620), (660, 560)]),
        open_curve([(-20, 30), (90, 44), (180, 20), (240, 40)]),
    ]


def blocks() -> list[Block]:
    """Return the large buildings."""
    return [
        Block(centre=(52, 350), length=100, width=96, angle_deg=-4, storey_m=14, court=25),
        Block(centre=(186, 306), length=84, width=66, angle_deg=-8, storey_m=12, court=19),
        Block(centre=(60, 170), length=62, width=84, angle_deg=2, storey_m=16, court=18),
        Block(centre=(146, 128), length=34, width=36, angle_deg=2, storey_m=30),
        Block(centre=(204, 180), length=36, width=34, angle_deg=-4, storey_m=34),
        Block(centre=(170, 38), length=92, width=44, angle_deg=-3, storey_m=9, ribbed=True),
        Block(centre=(364, 282), length=84, width=44, angle_deg=-27, storey_m=10),
        Block(centre=(560, 18), length=84, width=40, angle_deg=-27, storey_m=8, ribbed=True),
    ]


def car_parks() -> list[Site]:
    """Return the car parks."""
    return [
        Site(centre=(186, 374), length=96, width=34, angle_deg=-8),
        Site(centre=(164, 190), length=34, width=34, angle_deg=0),
        Site(centre=(308, 320), length=60, width=34, angle_deg=66),
        Site(centre=(78, 40), length=70, width=34, angle_deg=2),
    ]
