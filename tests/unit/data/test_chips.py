"""Training chips: aligned labels, repeatable draws, honest padding."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from rsmamba.classes import ClassScheme
from rsmamba.data import (
    AugmentConfig,
    BandStatistics,
    ChipDataset,
    DataConfig,
    EpochSampler,
    LabelledScene,
    ScenePair,
)
from rsmamba.data.chips import random_crop, scene_shares
from rsmamba.data.config import Sampling

CLASSES = ClassScheme.from_names(["a", "b", "c"])
STATISTICS = BandStatistics(mean=(50.0,), std=(10.0,))


def write_raster(path: Path, values: NDArray[np.uint8]) -> Path:
    profile = {"driver": "GTiff", "count": values.shape[0], "dtype": "uint8"}
    transform = rasterio.Affine(1, 0, 500_000, 0, -1, 4_000_000)
    height, width = values.shape[1:]
    with rasterio.open(
        path, "w", height=height, width=width, transform=transform, **profile
    ) as file:
        file.write(values)
    return path


def make_chips(folder: Path, *, side: int, augment: AugmentConfig, seed: int = 0) -> ChipDataset:
    """Chips of one scene whose pixel is 100 times its label plus 1."""
    labels = np.random.default_rng(1).integers(0, 3, (1, side // 4, side // 4), np.uint8)
    labels = labels.repeat(4, axis=1).repeat(4, axis=2)
    image = write_raster(folder / "image.tif", labels * 100 + 1)
    mask = write_raster(folder / "mask.tif", labels)
    scene = LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES)
    config = DataConfig(
        root=folder, train=("*",), validation=("*",), classes=CLASSES, chip=32, augment=augment
    )
    return ChipDataset([scene], config=config, statistics=STATISTICS, seed=seed)


@pytest.fixture
def plain() -> AugmentConfig:
    return AugmentConfig(scale=(1.0, 1.0), colour_probability=0.0)


def test_labels_follow_their_pixels_through_flips(tmp_path: Path, plain: AugmentConfig) -> None:
    chips = make_chips(tmp_path, side=64, augment=plain)
    for index in range(20):
        chip = chips[0, index]
        assert np.array_equal(chip["pixels"][0].numpy(), chip["labels"].numpy() * 100 + 1)


def test_labels_follow_their_pixels_through_zoom(tmp_path: Path) -> None:
    augment = AugmentConfig(scale=(0.5, 2.0), colour_probability=0.0)
    chips = make_chips(tmp_path, side=128, augment=augment)
    near = []
    for index in range(20):
        chip = chips[0, index]
        nearest = np.clip(np.round((chip["pixels"][0].numpy() - 1) / 100), 0, 2)
        near.append((nearest == chip["labels"].numpy()).mean())
    # Only pixels that the zoom mixes from two classes may differ.
    assert np.mean(near) > 0.8


def test_padding_is_ignored(tmp_path: Path, plain: AugmentConfig) -> None:
    chip = make_chips(tmp_path, side=20, augment=plain)[0, 0]
    assert (chip["labels"] == 255).sum() == 32 * 32 - 20 * 20
    assert set(chip["pixels"].unique().tolist()) <= {1.0, 101.0, 201.0}


@pytest.mark.parametrize("shape", [(1, 5), (7, 1), (3, 200)])
def test_scenes_thinner_than_a_chip_are_continued(tmp_path: Path, shape: tuple[int, int]) -> None:
    labels = np.random.default_rng(2).integers(0, 3, (1, *shape), np.uint8)
    image, mask = (
        write_raster(tmp_path / "i.tif", labels + 40),
        write_raster(tmp_path / "m.tif", labels),
    )
    scene = LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES)
    crop = random_crop(scene, side=32, ignore=255, rng=np.random.default_rng(0))
    inside = crop.labels != 255
    assert inside.sum() == shape[0] * min(32, shape[1])
    assert np.array_equal(crop.pixels[0][inside], crop.labels[inside] + 40)
    assert set(np.unique(crop.pixels)) <= set(np.unique(labels + 40))


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [("area", [0.8, 0.2]), ("sqrt_area", [2 / 3, 1 / 3]), ("scene", [0.5, 0.5])],
)
def test_scenes_are_drawn_by_their_size(
    tmp_path: Path, sampling: Sampling, shares: list[float]
) -> None:
    scenes = []
    for side in (20, 10):
        raster = write_raster(tmp_path / f"{side}.tif", np.zeros((1, side, side), np.uint8))
        scenes.append(LabelledScene(ScenePair(image=raster, mask=raster), classes=CLASSES))
    assert scene_shares(scenes, sampling) == pytest.approx(shares)


def test_chips_depend_on_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    one = make_chips(tmp_path, side=64, augment=AugmentConfig())
    other = make_chips(tmp_path, side=64, augment=AugmentConfig())
    other[5, 5]
    assert np.array_equal(one[2, 3]["pixels"], other[2, 3]["pixels"])
    assert not np.array_equal(one[2, 3]["pixels"], one[3, 3]["pixels"])
    assert not np.array_equal(one[2, 3]["pixels"], one[2, 4]["pixels"])


def test_colour_changes_leave_labels_alone(tmp_path: Path, plain: AugmentConfig) -> None:
    plain_chip = make_chips(tmp_path, side=32, augment=plain)[0, 0]
    strong = AugmentConfig(scale=(1.0, 1.0), colour_probability=1.0)
    changed = make_chips(tmp_path, side=32, augment=strong)[0, 0]
    assert np.array_equal(plain_chip["labels"], changed["labels"])
    assert not np.array_equal(plain_chip["pixels"], changed["pixels"])


def test_with_everything_on_chips_are_repeatable_and_labels_are_old(tmp_path: Path) -> None:
    augment = AugmentConfig(
        gamma=0.3, band_gain=0.2, blur=1.0, noise=0.2, holes=2, hole_labels="ignore", mosaic=0.5
    )
    one, other = (make_chips(tmp_path, side=44, augment=augment) for _ in range(2))
    for index in reversed(range(12)):
        chip = one[1, index]
        again = other[1, index]
        assert all(np.array_equal(chip[name], again[name]) for name in chip)
        assert set(chip["labels"].unique().tolist()) <= {0, 1, 2, 255}
        assert bool(chip["pixels"].isfinite().all())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_mosaics_join_four_scenes(tmp_path: Path, plain: AugmentConfig, share: float) -> None:
    scenes = []
    for value in range(12):
        raster = write_raster(tmp_path / f"{value}.tif", np.full((1, 32, 32), value, np.uint8))
        mask = write_raster(tmp_path / "mask.tif", np.zeros((1, 32, 32), np.uint8))
        scenes.append(LabelledScene(ScenePair(image=raster, mask=mask), classes=CLASSES))
    config = DataConfig(
        root=tmp_path, train=("*",), validation=("*",), classes=CLASSES, chip=32,
        augment=replace(plain, mosaic=share),
    )  # fmt: skip
    chips = ChipDataset(scenes, config=config, statistics=STATISTICS, seed=0)
    values = [len(chips[0, index]["pixels"].unique()) for index in range(10)]
    assert max(values) == (4 if share else 1)
    assert (min(values) > 1) == bool(share)


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_do_not_change_chips(tmp_path: Path, workers: int) -> None:
    chips = make_chips(tmp_path, side=64, augment=AugmentConfig())
    sampler = EpochSampler(4)
    sampler.set_epoch(3)
    loaded = list(DataLoader(chips, sampler=sampler, batch_size=2, num_workers=workers))
    for index in range(4):
        assert np.array_equal(loaded[index // 2]["pixels"][index % 2], chips[3, index]["pixels"])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_may_begin_in_its_middle_and_the_next_at_its_start(
    tmp_path: Path, workers: int
) -> None:
    """Workers ask for chips before Lightning has told the sampler its epoch."""
    chips = make_chips(tmp_path, side=64, augment=AugmentConfig())
    sampler = EpochSampler(4, epoch=3, start=2)
    loader = DataLoader(chips, sampler=sampler, batch_size=2, num_workers=workers)
    batches = iter(loader)
    sampler.set_epoch(3)
    (rest,) = list(batches)
    assert np.array_equal(rest["pixels"][1], chips[3, 3]["pixels"])
    sampler.set_epoch(4)
    assert [len(batch["pixels"]) for batch in loader] == [2, 2]
