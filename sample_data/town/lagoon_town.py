"""The first town: villas, a park and a lagoon around an avenue."""

import numpy as np

from sample_data.town.fields import Points, circle, closed_curve, offset, open_curve
from sample_data.town.plan import Block, Grove, Plan, Road, Roundabout, Row, Site

HEIGHT, WIDTH = 700, 900
HUB = (520.0, 250.0)
FOOTPRINT = np.array(
    [
        (20, 11),
        (868, -30),
        (868, -8),
        (885, -9),
        (886, 683),
        (431, 698),
        (431, 690),
        (13, 703),
        (12, 240),
        (20, 240),
    ],
    dtype=np.float64,
)


def lagoon_town() -> Plan:
    """Return the plan of the first town."""
    streets = lay_streets()
    isle = (132.0, 585.0)
    return Plan(
        height=HEIGHT,
        width=WIDTH,
        seed=20240611,
        left=330_240.0,
        top=2_789_760.0,
        footprint=FOOTPRINT,
        roads=lay_roads(streets),
        roundabouts=[
            Roundabout(centre=HUB, radius=37),
            Roundabout(centre=isle, radius=24, ring=11),
            Roundabout(centre=(750, 462), radius=17, ring=12),
        ],
        water=[lagoon()],
        islands=[
            closed_curve(
                [
                    (228, 575),
                    (212, 640),
                    (160, 676),
                    (98, 672),
                    (48, 630),
                    (38, 572),
                    (66, 516),
                    (120, 490),
                    (178, 500),
                    (214, 532),
                ]
            ),
            closed_curve([(316, 552), (338, 546), (352, 562), (348, 588), (328, 596), (314, 578)]),
        ],
        lawns=[park(), closed_curve([(648, 408), (700, 398), (716, 412), (706, 432), (660, 438)])],
        bunkers=[
            closed_curve([(120, 270), (138, 262), (150, 274), (134, 286)]),
            closed_curve([(352, 292), (372, 286), (384, 300), (362, 310)]),
            closed_curve([(238, 236), (250, 230), (262, 240), (246, 248)]),
        ],
        paths=park_paths(),
        groves=groves(),
        lots=lots(),
        tracks=tracks(),
        blocks=blocks(),
        car_parks=car_parks(),
        courts=[
            Site(centre=(410, 332), length=58, width=26, angle_deg=68),
            Site(centre=(440, 320), length=58, width=26, angle_deg=68),
        ],
        rows=house_rows(streets, isle),
    )


def lay_roads(streets: dict[str, Points]) -> list[Road]:
    """Return the avenue, the two through roads and the streets."""
    return [
        Road(line=open_curve([(-60, 106), (140, 122), (330, 168), (450, 222), HUB]), kind="avenue"),
        Road(line=open_curve([HUB, (590, 268), (720, 264), (850, 232), (960, 215)]), kind="avenue"),
        Road(
            line=open_curve([HUB, (512, 330), (494, 430), (508, 540), (545, 640), (560, 760)]),
            kind="road",
        ),
        Road(line=open_curve([HUB, (532, 190), (552, 110), (556, 20), (545, -60)]), kind="road"),
        *(Road(line=line, kind="street") for line in streets.values()),
    ]


def lagoon() -> Points:
    """Return the shore of the lagoon."""
    return closed_curve(
        [
            (-90, 385),
            (20, 392),
            (120, 408),
            (210, 420),
            (290, 448),
            (365, 462),
            (420, 510),
            (424, 580),
            (385, 622),
            (330, 640),
            (300, 690),
            (310, 790),
            (120, 800),
            (-90, 780),
        ]
    )


def park() -> Points:
    """Return the outline of the park between the avenue and the lagoon."""
    return closed_curve(
        [
            (-30, 152),
            (140, 166),
            (300, 206),
            (420, 258),
            (474, 306),
            (468, 400),
            (452, 470),
            (420, 490),
            (370, 446),
            (296, 428),
            (214, 400),
            (120, 388),
            (-30, 376),
        ]
    )


def lay_streets() -> dict[str, Points]:
    """Return the centre lines of the residential streets."""
    return {
        "north": open_curve([(556, 42), (640, 58), (740, 52), (840, 28), (950, -6)]),
        "middle": open_curve([(545, 148), (640, 170), (740, 166), (840, 140), (950, 108)]),
        "link": open_curve([(742, 52), (750, 110), (742, 166)]),
        "crescent": open_curve(
            [
                (500, 392),
                (560, 366),
                (680, 348),
                (784, 352),
                (836, 396),
                (838, 490),
                (800, 548),
                (720, 568),
                (600, 560),
                (514, 552),
            ]
        ),
        "inner": open_curve([(497, 470), (580, 462), (690, 460), (750, 462)]),
        "isle": open_curve(
            [(132, 585), (160, 510), (186, 456), (206, 392), (250, 330), (300, 262), (322, 170)]
        ),
        "service": open_curve([(30, 116), (44, 60), (200, 46), (380, 56), (470, 80), (548, 110)]),
        "school": open_curve([(540, 622), (640, 636), (760, 622), (950, 600)]),
    }


def house_rows(streets: dict[str, Points], isle: tuple[float, float]) -> list[Row]:
    """Return the rows of houses along the streets."""
    rows = [Row(line=streets["crescent"], side=side, depth=40.0, tiled=0.25) for side in (-1, 1)]
    rows += [Row(line=streets["inner"], side=side, depth=38.0, tiled=0.15) for side in (-1, 1)]
    rows += [
        Row(line=streets[name], side=side, plot=plot, depth=41.0, tiled=0.4)
        for name, plot in (("middle", 37.0), ("north", 40.0))
        for side in (-1, 1)
    ]
    rows.append(
        Row(line=streets["school"], side=-1, plot=24.0, depth=40, style="terrace", tiled=0.0)
    )
    ring = offset(circle(isle, 24), 0.0)
    rows.append(Row(line=ring, side=-1, first=7.5, depth=46, plot=18.8, tiled=0.9))
    return rows


def park_paths() -> list[Points]:
    """Return the footpaths of the park and the promenade along the shore."""
    return [
        open_curve(
            [
                (-30, 366),
                (120, 378),
                (214, 390),
                (296, 417),
                (372, 436),
                (428, 480),
                (452, 455),
                (462, 390),
                (468, 310),
            ]
        ),
        open_curve(
            [(-30, 250), (60, 220), (140, 240), (190, 300), (280, 330), (360, 360), (430, 440)]
        ),
        open_curve([(110, 160), (120, 235), (90, 300), (110, 380)]),
        open_curve([(280, 330), (340, 270), (400, 252)]),
        open_curve([(286, 290), (360, 330), (392, 400), (372, 436)]),
    ]


def groves() -> list[Grove]:
    """Return the planted areas."""
    return [
        Grove(ring=park(), spacing=31),
        Grove(
            ring=closed_curve(
                [(20, 165), (150, 180), (290, 215), (250, 240), (120, 205), (30, 200)]
            ),
            spacing=15,
            palms=0.1,
        ),
        Grove(
            ring=closed_curve(
                [(300, 330), (400, 420), (440, 450), (410, 470), (330, 420), (250, 390)]
            ),
            spacing=14,
            palms=0.15,
        ),
        Grove(ring=circle((334, 570), 24), spacing=11, palms=0.2),
        Grove(
            ring=closed_curve([(20, 370), (120, 382), (200, 398), (190, 408), (20, 388)]),
            spacing=12,
            palms=0.6,
        ),
    ]


def lots() -> list[Points]:
    """Return levelled, unbuilt lots."""
    return [
        np.array(ring, dtype=np.float64)
        for ring in (
            [(600, 295), (760, 296), (775, 335), (600, 345)],
            [(570, 650), (700, 652), (720, 720), (580, 720)],
            [(440, 560), (490, 556), (520, 640), (450, 680)],
        )
    ]


def tracks() -> list[Points]:
    """Return wheel tracks."""
    return [
        open_curve([(840, 760), (850, 640), (868, 520), (850, 380), (880, 300)]),
        open_curve([(860, 520), (900, 470), (960, 450)]),
        open_curve([(330, 760), (400, 680), (470, 620), (506, 560)]),
        open_curve([(620, 290), (700, 330), (820, 310), (900, 330)]),
    ]


def blocks() -> list[Block]:
    """Return the large buildings."""
    return [
        Block(centre=(112, 8), length=110, width=52, angle_deg=-4, storey_m=9, ribbed=True),
        Block(centre=(238, 0), length=100, width=58, angle_deg=1, storey_m=12, court=20),
        Block(centre=(420, 18), length=72, width=46, angle_deg=10, storey_m=16),
        Block(centre=(500, 32), length=38, width=62, angle_deg=10, storey_m=22),
        Block(centre=(468, 150), length=66, width=36, angle_deg=24, storey_m=7),
        Block(centre=(790, 682), length=124, width=86, angle_deg=-6, storey_m=8, court=22),
    ]


def car_parks() -> list[Site]:
    """Return the car parks."""
    return [
        Site(centre=(180, 80), length=150, width=34, angle_deg=0),
        Site(centre=(330, 14), length=62, width=68, angle_deg=5),
        Site(centre=(350, 100), length=120, width=34, angle_deg=12),
        Site(centre=(700, 676), length=36, width=68, angle_deg=-6),
    ]
