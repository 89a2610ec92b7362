"""Chips on rare classes: exact draws by class, and crops that hold the drawn pixel."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rsmamba.classes import ClassScheme
from rsmamba.data import BandStatistics, ChipDataset, DataConfig, LabelledScene, ScenePair
from rsmamba.data.chips import random_crop
from rsmamba.data.class_places import ClassPlaces, Place
from rsmamba.data.config import AugmentConfig

WriteRaster = Callable[..., Path]
CLASSES = ClassScheme.from_names(["common", "rare", "absent", "some"])


def make_scene(write: WriteRaster, name: str, labels: np.ndarray) -> LabelledScene:
    image = write(f"{name}.tif", np.full(labels.shape, 9, np.uint8))
    mask = write(f"{name}_mask.tif", labels)
    scene = LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES)
    scene.hold()
    return scene


@pytest.fixture
def scenes(write_raster: WriteRaster) -> list[LabelledScene]:
    """Two scenes of several cells with 4 and 2 pixels of the rare class."""
    first, second = np.zeros((150, 300), np.uint8), np.zeros((40, 40), np.uint8)
    for row, col in ((0, 0), (149, 299), (130, 127), (127, 128)):
        first[row, col] = 1
    second[39, 0] = second[0, 39] = 1
    second[10:20] = 3
    second[20:30] = 255
    return [make_scene(write_raster, "one", first), make_scene(write_raster, "two", second)]


def test_every_pixel_of_the_drawn_class_is_as_likely(scenes: list[LabelledScene]) -> None:
    places = ClassPlaces(scenes, power=20.0)
    assert places.class_shares[1] > 1 - 1e-9
    rng = np.random.default_rng(0)
    drawn = Counter(places.draw(rng) for _ in range(1200))
    expected = [(0, 0, 0), (0, 149, 299), (0, 130, 127), (0, 127, 128), (1, 39, 0), (1, 0, 39)]
    assert set(drawn) == {Place(scene=s, row=r, col=c) for s, r, c in expected}
    assert min(drawn.values()) > 150


@pytest.mark.parametrize(("power", "ratio"), [(0.0, 1.0), (0.5, (400 / 6) ** 0.5), (1.0, 400 / 6)])
def test_classes_are_drawn_by_their_counts(
    scenes: list[LabelledScene], power: float, ratio: float
) -> None:
    shares = ClassPlaces(scenes, power=power).class_shares
    assert shares.sum() == pytest.approx(1)
    assert shares[1] / shares[3] == pytest.approx(ratio)
    assert shares[2] == 0


def test_draws_have_their_class(scenes: list[LabelledScene]) -> None:
    places = ClassPlaces(scenes, power=0.0)
    rng = np.random.default_rng(1)
    seen: Counter[int] = Counter()
    for _ in range(300):
        place = places.draw(rng)
        scene = scenes[place.scene]
        seen[int(scene.read(row=place.row, col=place.col, height=1, width=1).labels[0, 0])] += 1
    assert set(seen) == {0, 1, 3}
    assert min(seen.values()) > 60


def test_invalid_pixels_are_no_place_of_a_class(write_raster: WriteRaster) -> None:
    pixels = np.full((20, 20), 9, np.uint8)
    pixels[:, :15] = 0
    labels = np.zeros((20, 20), np.uint8)
    image, mask = write_raster("i.tif", pixels, nodata=0), write_raster("m.tif", labels)
    places = ClassPlaces(
        [LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES)], power=0
    )
    rng = np.random.default_rng(2)
    assert {places.draw(rng).col for _ in range(100)} == {15, 16, 17, 18, 19}


@pytest.mark.parametrize("place", [(0, 0), (149, 299), (75, 150), (0, 150)])
@pytest.mark.parametrize("side", [1, 32, 150, 200])
def test_a_crop_holds_the_pixel_that_it_is_around(
    scenes: list[LabelledScene], place: tuple[int, int], side: int
) -> None:
    pixels = np.zeros((150, 300), np.uint8)
    pixels[place] = 1
    spot = Place(scene=0, row=place[0], col=place[1])
    rng = np.random.default_rng(3)
    scene = scenes[0]
    held = scene.read(row=0, col=0, height=150, width=300)
    held.labels[:] = pixels
    for _ in range(10):
        crop = random_crop(scene, side=side, ignore=255, rng=rng, around=spot)
        assert crop.labels.shape == (side, side)
        assert (crop.labels == 1).sum() == 1


def test_class_crops_show_rare_classes_more_often(
    scenes: list[LabelledScene], tmp_path: Path
) -> None:
    still = AugmentConfig(flips=False, scale=(1.0, 1.0), colour_probability=0.0)
    shares = {}
    for share in (0.0, 0.5, 1.0):
        config = DataConfig(
            root=tmp_path, train=("*",), validation=("*",), classes=CLASSES, chip=16,
            augment=still, class_crops=share, class_crops_power=1.0,
        )  # fmt: skip
        statistics = BandStatistics(mean=(9.0,), std=(1.0,))
        chips = ChipDataset(scenes, config=config, statistics=statistics, seed=0)
        shares[share] = np.mean([bool((chips[0, i]["labels"] == 1).any()) for i in range(60)])
    assert shares[0.0] < 0.2 < shares[0.5] < 0.75 < shares[1.0]
