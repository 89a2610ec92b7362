"""Scene: values, bands, and the valid mask from every source of it."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from rsmamba.errors import OptionError
from rsmamba.geo.scene import Pixels, Scene
from rsmamba.geo.window import Window

MakeRaster = Callable[..., Path]
RAMP = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)


def _read(path: Path, **options: object) -> Pixels:
    with Scene.open(path, **options) as scene:  # type: ignore[arg-type]  # passed through
        return scene.read(scene.grid.window)


def test_window_holds_the_pixels_of_its_place(make_raster: MakeRaster) -> None:
    window = Window(row=5, col=7, height=4, width=6)
    with Scene.open(make_raster(RAMP), bidx=[3, 1, 3]) as scene:
        pixels = scene.read(window)
    rows, cols = window.slices
    np.testing.assert_array_equal(pixels.values, RAMP[[2, 0, 2], rows, cols])
    assert pixels.valid.all()


def test_scene_tells_what_it_is(make_raster: MakeRaster) -> None:
    path = make_raster(RAMP, nodata=0, crs="EPSG:32633", transform=Affine(2, 0, 0, 0, -2, 0))
    with Scene.open(path, bidx=[2]) as scene:
        assert (scene.driver, scene.count, scene.num_bands) == ("GTiff", 3, 1)
        assert (scene.dtype, scene.nodata, scene.mask_kinds) == ("uint16", (0.0,), ("nodata",))
        assert scene.grid.describe() == "30 x 20 px, EPSG:32633, 2 m"
        assert scene.name == "scene.tif"
        assert scene.files == (str(path),)


def test_three_bands_are_red_green_blue_wherever_they_are(make_raster: MakeRaster) -> None:
    values = np.stack([np.full((4, 4), 10 * band, np.uint8) for band in range(1, 5)])
    path = make_raster(values, colours=["blue", "green", "red", "alpha"])
    assert _read(path, num_bands=3).values[:, 0, 0].tolist() == [30, 20, 10]


def test_alpha_is_a_mask_and_not_data(make_raster: MakeRaster) -> None:
    values = np.full((2, 2, 3), 7, np.uint16)
    values[1, 0] = [0, 1, 65535]
    pixels = _read(make_raster(values, colours=["gray", "alpha"]))
    assert pixels.values.shape == (1, 2, 3)
    assert pixels.valid[0].tolist() == [False, True, True]
    assert pixels.values[0, 0].tolist() == [0, 7, 7]


@pytest.mark.parametrize("internal", [True, False])
def test_stored_mask_is_read(make_raster: MakeRaster, internal: bool) -> None:
    import rasterio

    mask = np.ones((20, 30), dtype=np.bool_)
    mask[3:9, 4:11] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        path = make_raster(RAMP, mask=mask)
    assert (path.parent / "scene.tif.msk").exists() is not internal
    pixels = _read(path)
    np.testing.assert_array_equal(pixels.valid, mask)
    assert not pixels.values[:, ~mask].any()


def test_nan_is_invalid_and_comes_back_as_zero(make_raster: MakeRaster) -> None:
    values = np.ones((2, 3, 3), np.float32)
    values[1, 1, 1] = np.nan
    pixels = _read(make_raster(values))
    assert np.argwhere(~pixels.valid).tolist() == [[1, 1]]
    assert pixels.values[:, 1, 1].tolist() == [0, 0]


def test_given_nodata_number_replaces_that_of_the_file(make_raster: MakeRaster) -> None:
    values = np.array([[[-9999, 0, 5]]], dtype=np.int16)
    path = make_raster(values, nodata=0)
    assert _read(path).valid.tolist() == [[True, False, True]]
    assert _read(path, src_nodata=-9999).valid.tolist() == [[False, True, True]]


def test_scale_and_offset_are_applied_only_on_request(make_raster: MakeRaster) -> None:
    values = np.full((2, 1, 2), 1000, np.int16)
    path = make_raster(values, scales=(0.5, 2))
    assert _read(path).values.dtype == np.int16
    with Scene.open(path) as scene:
        assert (scene.has_scaling, scene.scales, scene.unscaled) == (True, (0.5, 2.0), False)
    unscaled = _read(path, unscale=True)
    assert unscaled.values.dtype == np.float32
    assert unscaled.values[:, 0, 0].tolist() == [500, 2000]


def test_unscaling_a_file_without_scale_changes_nothing(make_raster: MakeRaster) -> None:
    assert _read(make_raster(RAMP), unscale=True).values.dtype == np.uint16


@pytest.mark.parametrize(("num_bands", "expected"), [(1, [1]), (3, [9, 8, 7]), (4, [9, 8, 7, 255])])
def test_palette_becomes_colours_where_colours_are_wanted(
    make_raster: MakeRaster, num_bands: int, expected: list[int]
) -> None:
    path = make_raster(
        np.array([[[1, 0]]], np.uint8), colormap={1: (9, 8, 7, 255), 0: (1, 1, 1, 255)}, nodata=0
    )
    pixels = _read(path, num_bands=num_bands)
    assert pixels.values[:, 0, 0].tolist() == expected
    assert pixels.valid.tolist() == [[True, False]]


def test_twelve_bit_files_are_read_as_they_are(make_raster: MakeRaster) -> None:
    values = np.full((1, 4, 4), 4095, np.uint16)
    assert _read(make_raster(values, nbits=12)).values.max() == 4095


def test_bands_of_different_types_get_a_common_one(make_raster: MakeRaster) -> None:
    first = make_raster(np.full((1, 2, 2), 200, np.uint8), name="a.tif")
    make_raster(np.full((1, 2, 2), -5, np.int16), name="b.tif")
    vrt = first.with_name("both.vrt")
    bands = "".join(
        f'<VRTRasterBand dataType="{dtype}" band="{band}"><SimpleSource><SourceFilename '
        f'relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
        "</VRTRasterBand>"
        for band, (dtype, name) in enumerate([("Byte", "a.tif"), ("Int16", "b.tif")], 1)
    )
    vrt.write_text(f'<VRTDataset rasterXSize="2" rasterYSize="2">{bands}</VRTDataset>')
    pixels = _read(vrt)
    assert pixels.values.dtype == np.int16
    assert pixels.values[:, 0, 0].tolist() == [200, -5]


def test_world_file_gives_a_picture_its_place(make_raster: MakeRaster) -> None:
    path = make_raster(RAMP.astype(np.uint8), name="photo.png", driver="PNG")
    path.with_suffix(".pgw").write_text("0.5\n0\n0\n-0.5\n100.25\n199.75\n")
    with Scene.open(path) as scene:
        assert scene.grid.transform == Affine(0.5, 0, 100, 0, -0.5, 200)
        assert scene.grid.crs is None


def test_shrunk_reads_average_valid_pixels(make_raster: MakeRaster) -> None:
    values = np.zeros((1, 4, 4), np.uint8)
    values[0, :2] = 10
    values[0, :, 2:] *= 3
    values[0, 0, 0] = 30
    with Scene.open(make_raster(values, nodata=0)) as scene:
        pixels = scene.read_decimated(scene.grid.window, height=2, width=2)
    assert pixels.values[0].tolist() == [[15, 30], [0, 0]]
    assert pixels.valid.tolist() == [[True, True], [False, False]]


def test_valid_mask_alone_equals_that_of_the_pixels(make_raster: MakeRaster) -> None:
    window = Window(row=0, col=0, height=1, width=5)
    for nodata in (None, 2):
        with Scene.open(make_raster(RAMP[:1], nodata=nodata)) as scene:
            expected = scene.read(window).valid
            np.testing.assert_array_equal(scene.read_valid(window), expected)


@pytest.mark.parametrize(("row", "height"), [(-1, 5), (18, 3)])
def test_windows_outside_are_refused(make_raster: MakeRaster, row: int, height: int) -> None:
    window = Window(row=row, col=0, height=height, width=3)
    with Scene.open(make_raster(RAMP)) as scene:
        with pytest.raises(OptionError, match=r"not inside scene\.tif, which is 30 px wide and 20"):
            scene.read(window)
        with pytest.raises(OptionError, match=r"not inside scene\.tif"):
            scene.read_valid(window)


def test_another_thread_may_read(make_raster: MakeRaster) -> None:
    results: list[Pixels] = []
    with Scene.open(make_raster(RAMP)) as scene:

        def read() -> None:
            results.extend(scene.read(scene.grid.window) for _ in range(20))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 60
    assert all((pixels.values == RAMP).all() for pixels in results)
