"""Facts of the ISPRS 2D semantic labelling benchmark: tiles, splits, bands, pixel size.

Sources: the society's pages on Vaihingen and Potsdam; `geoseg` is the split of UNetFormer (Wang et
al. 2022) and its repository GeoSeg, `ssrs` that of FTransUNet and RS3Mamba (repository SSRS),
`official` the society's own contest, which torchgeo uses too. GeoSeg drops Potsdam 7_10, whose
annotation is faulty.
"""

from dataclasses import dataclass
from typing import Literal

IsprsDataset = Literal["vaihingen", "potsdam"]
IsprsSplit = Literal["ssrs", "geoseg", "official"]
IsprsBands = Literal["irrg", "rgb", "rgbir"]

# The first is taken where none is asked for.
BANDS_OF: dict[IsprsDataset, tuple[IsprsBands, ...]] = {
    "vaihingen": ("irrg",),
    "potsdam": ("rgb", "irrg", "rgbir"),
}
BAND_NAMES: dict[IsprsBands, tuple[str, ...]] = {
    "irrg": ("near infrared", "red", "green"),
    "rgb": ("red", "green", "blue"),
    "rgbir": ("red", "green", "blue", "near infrared"),
}
GSD_M: dict[IsprsDataset, float] = {"vaihingen": 0.09, "potsdam": 0.05}


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLists:
    """Tiles of a split.

    Attributes:
        train: Tiles to train on.
        validation: Tiles to choose an epoch by; empty where the split has none.
        test: Tiles that are read only for the final number.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...]


def _tiles(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_VAIHINGEN_TRAIN = _tiles("1 3 5 7 11 13 15 17 21 23 26 28 30 32 34 37")
_VAIHINGEN_TEST = _tiles("2 4 6 8 10 12 14 16 20 22 24 27 29 31 33 35 38")
_POTSDAM_TRAIN = _tiles(
    "2_10 2_11 2_12 3_10 3_11 3_12 4_10 4_11 4_12 5_10 5_11 5_12 "
    "6_7 6_8 6_9 6_10 6_11 6_12 7_7 7_8 7_9 7_10 7_11 7_12"
)
_POTSDAM_TEST = _tiles("2_13 2_14 3_13 3_14 4_13 4_14 4_15 5_13 5_14 5_15 6_13 6_14 6_15 7_13")
_SSRS_POTSDAM_TEST = _tiles("2_11 3_10 4_10 5_11 6_11 7_12")


def _without(tiles: tuple[str, ...], *left_out: str) -> tuple[str, ...]:
    return tuple(tile for tile in tiles if tile not in left_out)


TILES: dict[IsprsDataset, tuple[str, ...]] = {
    "vaihingen": tuple(sorted(_VAIHINGEN_TRAIN + _VAIHINGEN_TEST, key=int)),
    "potsdam": tuple(
        sorted(
            _POTSDAM_TRAIN + _POTSDAM_TEST,
            key=lambda tile: tuple(map(int, tile.split("_"))),
        )
    ),
}
SPLITS: dict[IsprsDataset, dict[IsprsSplit, TileLists]] = {
    "vaihingen": {
        "ssrs": TileLists(
            train=_tiles("1 3 7 11 13 17 23 26 28 32 34 37"), test=_tiles("5 15 21 30")
        ),
        "geoseg": TileLists(
            train=_without(_VAIHINGEN_TRAIN, "30"), validation=("30",), test=_VAIHINGEN_TEST
        ),
        "official": TileLists(train=_VAIHINGEN_TRAIN, test=_VAIHINGEN_TEST),
    },
    "potsdam": {
        "ssrs": TileLists(
            train=_without(_POTSDAM_TRAIN, *_SSRS_POTSDAM_TEST), test=_SSRS_POTSDAM_TEST
        ),
        "geoseg": TileLists(
            train=_without(_POTSDAM_TRAIN, "2_10", "7_10"),
            validation=("2_10",),
            test=_POTSDAM_TEST,
        ),
        "official": TileLists(train=_POTSDAM_TRAIN, test=_POTSDAM_TEST),
    },
}
