"""Colours of the town: brightness of flat ground in full sun, 0-255, for red, green, blue, NIR.

The numbers follow the class statistics of very-high-resolution imagery of desert towns: bright
bluish sand, brownish asphalt, olive lawns, nearly black water, white and cream roofs.
"""

from dataclasses import dataclass

BUILDING, LAND, ROAD, VEGETATION, WATER, ABSENT = 0, 1, 2, 3, 4, 255
CLASS_NAMES = ("building", "land (unpaved)", "road", "vegetation", "water")
CLASS_COLOURS = ((60, 16, 152), (132, 41, 246), (110, 193, 228), (254, 221, 58), (226, 169, 41))


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A surface: its colour and how strongly the noise fields modulate it.

    Attributes:
        colour: Red, green, blue and near-infrared brightness, 0-255.
        grain: Relative deviation sample by sample.
        mottle: Relative deviation at the scale of a few metres.
    """

    colour: tuple[float, float, float, float]
    grain: float = 0.04
    mottle: float = 0.04


SAND = Material(colour=(213, 210, 214, 219), grain=0.05, mottle=0.035)
YARD = Material(colour=(180, 176, 176, 184), grain=0.07, mottle=0.10)
PAVING = Material(colour=(178, 170, 164, 172), grain=0.05, mottle=0.05)
QUAY = Material(colour=(205, 203, 200, 205), grain=0.06, mottle=0.06)
PATH = Material(colour=(172, 164, 158, 168), grain=0.03, mottle=0.05)
TRACK = Material(colour=(180, 171, 164, 176), grain=0.04, mottle=0.06)
ASPHALT = Material(colour=(92, 83, 82, 90), grain=0.05, mottle=0.06)
NEW_ASPHALT = Material(colour=(82, 74, 75, 78), grain=0.05, mottle=0.05)
PARKING = Material(colour=(112, 104, 102, 108), grain=0.05, mottle=0.07)
KERB = Material(colour=(168, 162, 158, 164), grain=0.05, mottle=0.03)
MARKING = Material(colour=(188, 186, 180, 186), grain=0.05, mottle=0.10)
LAWN = Material(colour=(86, 95, 66, 178), grain=0.06, mottle=0.09)
DRY_LAWN = Material(colour=(118, 116, 92, 165), grain=0.08, mottle=0.14)
SHRUB = Material(colour=(66, 70, 56, 135), grain=0.16, mottle=0.16)
TREE = Material(colour=(72, 82, 60, 168), grain=0.16, mottle=0.10)
PALM = Material(colour=(82, 88, 66, 155), grain=0.18, mottle=0.08)
BUNKER = Material(colour=(192, 184, 172, 188), grain=0.03, mottle=0.03)
DEEP_WATER = Material(colour=(17, 26, 24, 9), grain=0.10, mottle=0.05)
SHALLOW_WATER = Material(colour=(46, 66, 48, 22), grain=0.06, mottle=0.10)
POOL = Material(colour=(76, 138, 152, 40), grain=0.05, mottle=0.05)
COURT = Material(colour=(126, 92, 74, 100), grain=0.03, mottle=0.03)
COURT_INNER = Material(colour=(86, 96, 128, 96), grain=0.03, mottle=0.03)
WALL = Material(colour=(206, 201, 195, 202), grain=0.04, mottle=0.03)
EQUIPMENT = Material(colour=(170, 172, 174, 172), grain=0.08, mottle=0.04)
GLASS = Material(colour=(34, 38, 44, 40), grain=0.05, mottle=0.02)

VILLA_ROOFS = (
    Material(colour=(226, 220, 212, 222), grain=0.03, mottle=0.05),
    Material(colour=(238, 236, 233, 236), grain=0.03, mottle=0.04),
    Material(colour=(208, 198, 184, 205), grain=0.04, mottle=0.06),
    Material(colour=(176, 166, 158, 172), grain=0.05, mottle=0.07),
)
TILED_ROOFS = (
    Material(colour=(178, 116, 86, 172), grain=0.06, mottle=0.05),
    Material(colour=(168, 132, 110, 168), grain=0.06, mottle=0.05),
    Material(colour=(150, 142, 150, 155), grain=0.05, mottle=0.05),
)
BLOCK_ROOFS = (
    Material(colour=(228, 225, 220, 226), grain=0.03, mottle=0.05),
    Material(colour=(202, 198, 192, 200), grain=0.04, mottle=0.07),
    Material(colour=(186, 186, 190, 188), grain=0.04, mottle=0.07),
)
CAR_COLOURS = (
    (232, 232, 232, 230),
    (236, 236, 234, 232),
    (190, 192, 196, 192),
    (120, 122, 126, 122),
    (40, 40, 44, 42),
    (150, 42, 36, 120),
    (52, 70, 120, 80),
)
