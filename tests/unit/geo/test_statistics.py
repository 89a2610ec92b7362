"""Statistics: exact for small scenes, a fixed sample for large ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rsmamba.geo import statistics
from rsmamba.geo.scene import Scene
from rsmamba.geo.statistics import scene_statistics
from rsmamba.geo.window import Window

MakeRaster = Callable[..., Path]


def test_small_scene_is_described_exactly(make_raster: MakeRaster) -> None:
    values = np.arange(2 * 50 * 40, dtype=np.uint16).reshape(2, 50, 40)
    values[:, :10] = 0
    with Scene.open(make_raster(values, nodata=0)) as scene:
        result = scene_statistics(scene)
    second = values[1, 10:]
    assert (result.is_exact, result.num_sampled, result.valid_share) == (True, 2000, 0.8)
    band = result.bands[1]
    assert (band.minimum, band.maximum) == (second.min(), second.max())
    assert [band.mean, band.std] == pytest.approx([second.mean(), second.std()])
    assert (band.p2, band.p98) == tuple(np.percentile(second, (2, 98)))
    assert (band.p0_5, band.p99_5) == tuple(np.percentile(second, (0.5, 99.5)))


def test_scene_without_a_valid_pixel_has_no_bands(make_raster: MakeRaster) -> None:
    with Scene.open(make_raster(np.zeros((3, 9, 9), np.uint8), nodata=0)) as scene:
        result = scene_statistics(scene)
    assert (result.valid_share, result.bands) == (0.0, ())


def test_large_scene_is_sampled_the_same_way_each_time(
    make_raster: MakeRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_MAX_VALUES", 300_000)
    values = np.random.default_rng(0).integers(1, 200, (1, 900, 1100), dtype=np.uint8)
    values[:, 450:] = 0
    with Scene.open(make_raster(values, nodata=0, tiled=True)) as scene:
        first, second = scene_statistics(scene), scene_statistics(scene)
    assert first == second
    assert not first.is_exact
    assert first.num_sampled <= 300_000
    assert first.valid_share == pytest.approx(0.5, abs=0.13)
    assert first.bands[0].mean == pytest.approx(100, abs=2)


def test_blocks_that_are_costly_to_decode_mean_fewer_windows(
    make_raster: MakeRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_MAX_VALUES", 300_000)
    monkeypatch.setattr(statistics, "_MAX_DECODED", 1_000_000)
    path = make_raster(np.ones((1, 900, 1100), np.uint8), blockysize=900)
    with Scene.open(path) as scene:
        assert scene_statistics(scene).num_sampled == 4 * 128 * 128


def test_part_of_a_scene_is_described_alone(make_raster: MakeRaster) -> None:
    values = np.zeros((1, 30, 30), np.uint8)
    values[0, 10:20, 5:9] = 7
    with Scene.open(make_raster(values)) as scene:
        result = scene_statistics(scene, window=Window(row=10, col=5, height=10, width=4))
    assert (result.bands[0].minimum, result.num_sampled) == (7, 40)


@pytest.mark.parametrize(
    ("dtype", "number", "rows", "suspected"),
    [
        ("int16", -9999, 1, -9999.0),
        ("uint8", 0, 9, 0.0),
        ("uint8", 0, 1, None),
        ("uint8", 77, 9, None),
    ],
)
def test_untagged_nodata_is_suspected(
    make_raster: MakeRaster, dtype: str, number: int, rows: int, suspected: float | None
) -> None:
    values = np.full((2, 100, 20), 5, dtype)
    values[:, :rows] = number
    with Scene.open(make_raster(values)) as scene:
        result = scene_statistics(scene)
    assert result.suspected_nodata == suspected
    assert result.suspected_share == pytest.approx(0 if suspected is None else rows / 100)


def test_tagged_nodata_raises_no_suspicion(make_raster: MakeRaster) -> None:
    values = np.zeros((1, 20, 20), np.uint8)
    with Scene.open(make_raster(values, nodata=255)) as scene:
        assert scene_statistics(scene).suspected_nodata is None
