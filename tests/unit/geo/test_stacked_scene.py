"""A scene with heights behind its bands reads like one raster."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from rsmamba.errors import BandError, GridMismatchError, SceneError
from rsmamba.geo.scene import Scene
from rsmamba.geo.stacked_scene import open_stacked
from rsmamba.geo.window import Window

PLACE = rasterio.Affine(0.1, 0, 500_000, 0, -0.1, 4_000_000)


def write(
    path: Path, values: NDArray[np.generic], *, place: rasterio.Affine = PLACE, **tags: float
) -> Path:
    count, height, width = values.shape
    profile = {"count": count, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", transform=place, **profile, **tags) as file:
        file.write(values)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    values = np.random.default_rng(1).integers(1, 256, (3, 20, 30), np.uint8)
    return write(tmp_path / "image.tif", values)


@pytest.fixture
def heights(tmp_path: Path) -> Path:
    """Heights in metres with a hole at row 4, col 5."""
    values = np.random.default_rng(2).uniform(0, 30, (1, 20, 30)).astype(np.float32)
    values[0, 4, 5] = -9999
    return write(tmp_path / "heights.tif", values, nodata=-9999)


def test_bands_follow_and_a_hole_of_one_is_a_hole(image: Path, heights: Path) -> None:
    with open_stacked(image, [heights], num_bands=4) as scene:
        assert (scene.num_bands, scene.dtype, scene.bidx) == (4, "float32", (1, 2, 3))
        pixels = scene.read(Window(row=3, col=0, height=5, width=30))
        assert scene.files == (str(image), str(heights))
        assert not scene.read_valid(scene.grid.window)[4, 5]
    with rasterio.open(image) as colours, rasterio.open(heights) as metres:
        expected = np.concatenate([colours.read(), metres.read()])[:, 3:8]
    expected[:, 1, 5] = 0
    assert np.array_equal(pixels.values, expected)
    assert np.argwhere(~pixels.valid).tolist() == [[1, 5]]


def test_bidx_chooses_among_the_bands_of_the_scene(image: Path, heights: Path) -> None:
    with open_stacked(image, [heights], bidx=(3, 1), num_bands=3) as scene:
        values = scene.read(scene.grid.window).values
    with rasterio.open(image) as file:
        valid = values[2] != 0
        assert np.array_equal(values[:2, valid], file.read((3, 1))[:, valid])


def test_without_other_rasters_it_is_the_scene_itself(image: Path) -> None:
    with open_stacked(image, [], num_bands=3) as scene:
        assert type(scene) is Scene


def test_more_bands_than_the_model_takes(image: Path, heights: Path) -> None:
    with pytest.raises(BandError, match="takes 1 bands and the extra rasters have 1 of them"):
        open_stacked(image, [heights], num_bands=1)


def test_other_pixels_are_refused(image: Path, tmp_path: Path) -> None:
    small = write(tmp_path / "small.tif", np.ones((1, 20, 29), np.uint8))
    with pytest.raises(GridMismatchError, match=r"small.tif is 29 px wide .* its image 30 and 20"):
        open_stacked(image, [small], num_bands=4)
    moved = rasterio.Affine(0.1, 0, 500_001, 0, -0.1, 4_000_000)
    beside = write(tmp_path / "beside.tif", np.ones((1, 20, 30), np.uint8), place=moved)
    with pytest.raises(GridMismatchError, match=r"beside.tif has the transform .* warp one onto"):
        open_stacked(image, [beside], num_bands=4)
    with pytest.raises(SceneError, match=r"absent.tif"):
        open_stacked(image, [tmp_path / "absent.tif"], num_bands=4)
