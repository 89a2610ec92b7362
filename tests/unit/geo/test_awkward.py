"""Real rasters with something odd about each end in right pixels or in one line."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmamba.classes import ClassScheme
from rsmamba.errors import BandError, SceneError
from rsmamba.geo import kinds
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.scene import Scene
from rsmamba.geo.statistics import scene_statistics
from rsmamba.geo.window import Window
from rsmamba.geo.writer import RasterSink, publish_together

BROKEN = {
    "rasterio/corrupt.tif",
    "gdal-autotest2/idontexist.vrt",
    "gdal-autotest2/corrupted_gtiff_tags.tif",
}


@pytest.fixture(scope="module")
def awkward(shared_data: Path) -> Path:
    """Folder of the awkward rasters."""
    return shared_data / "awkward"


@pytest.fixture(scope="module")
def names(awkward: Path) -> list[str]:
    """All awkward rasters."""
    with (awkward / "manifest.csv").open(newline="") as rows:
        return [row["file"] for row in csv.DictReader(rows)]


def _part(scene: Scene) -> Window:
    height, width = min(scene.grid.height, 1100), min(scene.grid.width, 1100)
    return Window(row=0, col=0, height=height, width=width)


def test_all_are_read_or_refused_in_one_line(awkward: Path, names: list[str]) -> None:
    refused: dict[str, str] = {}
    for name in names:
        try:
            with Scene.open(awkward / name) as scene:
                pixels = scene.read(_part(scene))
        except SceneError as error:
            refused[name] = str(error)
        else:
            assert np.isfinite(pixels.values).all(), name
            assert not pixels.values[:, ~pixels.valid].any(), name
    assert set(refused) == BROKEN
    assert not any("\n" in text for text in refused.values())


def test_three_bands_are_there_or_refused(awkward: Path, names: list[str]) -> None:
    refused: dict[str, str] = {}
    for name in names:
        try:
            with Scene.open(awkward / name, num_bands=3) as scene:
                assert scene.num_bands == 3
                assert scene.expands_palette is (name == "rio-tiler/cog_cmap.tif")
        except BandError as error:
            refused[name] = str(error)
    assert 15 < len(refused) < len(names)
    assert all("the model takes 3" in text for text in refused.values())


def test_red_green_blue_come_in_that_order(awkward: Path) -> None:
    with Scene.open(awkward / "rasterio/RGBA.uint16.tif", num_bands=3) as scene:
        assert scene.bidx == (3, 2, 1)


def test_valid_pixels_are_those_of_gdal_that_are_numbers(awkward: Path, names: list[str]) -> None:
    for name in set(names) - BROKEN:
        with Scene.open(awkward / name) as scene, no_georeference_warning():
            window = _part(scene)
            pixels = scene.read(window)
            with rasterio.open(awkward / name) as dataset:
                expected = dataset.dataset_mask(window=window.to_rasterio()) > 0
                values = dataset.read(list(scene.bidx), window=window.to_rasterio())
        expected &= np.isfinite(values).all(axis=0)
        np.testing.assert_array_equal(pixels.valid, expected, err_msg=name)


def test_saturated_pixels_of_a_real_photograph_stay_valid(awkward: Path) -> None:
    with Scene.open(awkward / "deepforest/OSBS_029.tif") as scene:
        pixels = scene.read(scene.grid.window)
    assert pixels.valid.mean() > 0.997
    assert (pixels.values == 255).any(axis=0)[pixels.valid].mean() > 0.005


def test_forgotten_nodata_is_suspected(awkward: Path) -> None:
    with Scene.open(awkward / "rio-cogeo/image_missing_nodata.tif") as scene:
        result = scene_statistics(scene)
    assert result.suspected_nodata == -9999
    assert result.suspected_share == pytest.approx(0.2955, abs=1e-4)


def test_stored_scale_is_applied_on_request(awkward: Path) -> None:
    path = awkward / "rio-tiler/cog_scale.tif"
    with Scene.open(path) as plain, Scene.open(path, unscale=True) as unscaled:
        window = _part(plain)
        raw, scaled = plain.read(window), unscaled.read(window)
    expected = raw.values * np.array([1e-4, 1e-3])[:, None, None] + [[[1000]], [[2000]]]
    np.testing.assert_allclose(
        scaled.values[:, raw.valid], expected[:, raw.valid].astype(np.float32), rtol=1e-6
    )


def test_maps_lie_where_the_scenes_do(awkward: Path, names: list[str], tmp_path: Path) -> None:
    kind = kinds.class_map(ClassScheme.from_names(["a", "b"]))
    for name in names:
        with Scene.open(awkward / name) as scene:
            grid = scene.grid
        if grid.width * grid.height > 5_000_000:
            continue
        with RasterSink(tmp_path / "mask.tif", grid=grid, kind=kind, overwrite=True) as sink:
            sink.write(np.zeros((grid.height, grid.width), np.uint8), row=0)
            (path,) = publish_together([sink])
        with Scene.open(path) as written:
            assert written.grid.same_as(grid), name
