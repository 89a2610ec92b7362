"""Prediction at the model's ground sample distance, brought back to the scene's grid."""

import json
from typing import Any

import numpy as np
import pytest

from rsmamba.errors import OptionError
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window
from rsmamba.prediction import plan
from rsmamba.prediction.resampling import Axis, ResampledScene

Lab = Any


@pytest.mark.parametrize(("fine", "work"), [(100, 33), (33, 100), (50, 50), (7, 1), (1, 3)])
def test_weights_of_a_work_pixel_sum_to_one(fine: int, work: int) -> None:
    taps = Axis(fine=fine, work=work).taps(0, work)
    assert (taps.first, taps.stop) == (0, fine)
    np.testing.assert_allclose(taps.shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(taps.apply(np.full((fine, 2), 7)), 7, atol=1e-5)


def test_a_part_has_the_very_pixels_of_the_whole(lab: Lab) -> None:
    with Scene.open(lab.random_scene(90, 120)) as scene:
        resampled = ResampledScene(scene, gsd_m=5.3)
        height, width = resampled.grid.height, resampled.grid.width
        whole = resampled.read(Window(row=0, col=0, height=height, width=width))
        part = resampled.read(Window(row=7, col=11, height=20, width=30))
    assert (height, width) == (34, 45)
    np.testing.assert_array_equal(part.values, whole.values[:, 7:27, 11:41])


def test_resampling_keeps_extent_and_mean(lab: Lab) -> None:
    with Scene.open(lab.random_scene(120, 120)) as scene:
        resampled = ResampledScene(scene, gsd_m=8)
        pixels = resampled.read(Window(row=0, col=0, height=30, width=30))
        fine = scene.read(scene.grid.window)
        assert resampled.grid.gsd_m == pytest.approx(8)
        assert resampled.grid.bounds == scene.grid.bounds
    assert pixels.values.mean() == pytest.approx(fine.values.mean(), rel=0.02)


@pytest.mark.parametrize("gsd_m", [6.0, 0.7])
def test_the_map_is_on_the_grid_and_has_the_mask_of_the_scene(gsd_m: float, lab: Lab) -> None:
    values = np.repeat(np.repeat(np.array([[1, 2, 3], [3, 1, 2]]), 60, axis=0), 50, axis=1)
    values = values[None].astype(np.uint8)
    values[:, 5:9, 40:100] = 0
    scene = lab.scene(values, nodata=0)
    options = {"model": lab.value_model(4, gsd_m=gsd_m), "tile": 40, "overlap": 8}
    lab.predict(scene, resample=True, **options)
    classes = lab.read("map.tif")
    np.testing.assert_array_equal(classes == 255, values == 0)
    inner = np.ones(values.shape, dtype=bool)
    inner[:, 54:66] = False
    inner[:, :, 44:56] = inner[:, :, 94:106] = False
    np.testing.assert_array_equal(classes[inner], np.where(values == 0, 255, values)[inner])


def test_blocks_and_windows_do_not_change_a_resampled_map(lab: Lab) -> None:
    scene = lab.random_scene(100, 1700)
    model = lab.model(lab.convolution_model().network, num_classes=4, gsd_m=3.1)
    options = {"model": model, "tile": 32, "overlap": 16, "resample": True}
    limit = plan(scene, lab.folder / "map.tif", **options).memory_bytes - 50_000
    whole = lab.predict(scene, "whole.tif", **options)
    cut = lab.predict(scene, "cut.tif", mem_limit=limit, **options)
    lab.predict(scene, "part.tif", window=(301, 13, 200, 50), **options)
    assert (whole.column_blocks, cut.column_blocks > 1) == (1, True)
    np.testing.assert_array_equal(lab.read("cut.tif"), lab.read("whole.tif"))
    np.testing.assert_array_equal(lab.read("part.tif"), lab.read("whole.tif")[:, 13:63, 301:501])


def test_an_area_is_cut_out_on_the_grid_of_the_scene(lab: Lab) -> None:
    # Columns 10 to 19 and rows 5 to 24 of a scene of 2 m, seen at 7 m.
    left, bottom, right, top = 500_020, 4_999_950, 500_040, 4_999_990
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    crs = {"type": "name", "properties": {"name": "EPSG:32633"}}
    area = lab.folder / "field.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [ring], "crs": crs}))
    scene = lab.scene(np.full((1, 60, 60), 2, dtype=np.uint8))
    options = {"model": lab.value_model(4, gsd_m=7.0), "tile": 8, "overlap": 2}
    result = lab.predict(scene, resample=True, aoi=area, window=(0, 0, 60, 60), **options)
    assert (result.grid.height, result.grid.width) == (20, 10)
    assert (lab.read("map.tif") == 2).all()
    assert result.tiles_computed < 9


def test_a_scene_of_the_models_distance_is_not_resampled(lab: Lab) -> None:
    values = np.random.default_rng(1).integers(0, 4, (1, 40, 50), dtype=np.uint8)
    lab.predict(lab.scene(values), model=lab.value_model(4, gsd_m=2.01), resample=True)
    np.testing.assert_array_equal(lab.read("map.tif"), values)


def test_resampling_needs_both_distances(lab: Lab) -> None:
    scene = lab.random_scene(20, 20)
    with pytest.raises(OptionError, match="model has no ground sample distance to resample to"):
        lab.predict(scene, model=lab.value_model(), resample=True)
    bare = lab.scene(np.zeros((1, 9, 9), dtype=np.uint8), name="bare.tif", crs=None)
    with pytest.raises(OptionError, match=r"bare\.tif has no known ground sample distance"):
        lab.predict(bare, model=lab.value_model(gsd_m=1.0), resample=True)


@pytest.mark.parametrize("gsd_m", [1.3, 3.1])
def test_another_distance_is_refused_with_the_numbers(gsd_m: float, lab: Lab) -> None:
    scene = lab.random_scene(20, 20)
    model = lab.value_model(gsd_m=gsd_m)
    with pytest.raises(OptionError, match=rf"2 m per pixel .* {gsd_m} m, 1\.\d times apart"):
        lab.predict(scene, model=model)
    assert lab.predict(scene, model=model, ignore_gsd=True).tiles_computed == 1


def test_a_distance_within_half_passes(lab: Lab) -> None:
    scene = lab.random_scene(20, 20)
    assert lab.predict(scene, model=lab.value_model(gsd_m=2.9)).tiles_computed == 1
