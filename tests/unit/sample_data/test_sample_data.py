"""The committed sample scenes: what they promise, and that the generator still makes them."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

SCENES = ("town_rgb", "town_4band_uint16")
FILES = tuple(f"{scene}{part}.tif" for scene in SCENES for part in ("", "_labels"))


@pytest.fixture(scope="module")
def remade(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fresh run of the generator."""
    folder = tmp_path_factory.mktemp("sample_data")
    script = sample_data / "make_sample_data.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


def read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    with rasterio.open(path) as file:
        return np.asarray(file.read(), dtype=np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_generator_reproduces_the_labels(sample_data: Path, remade: Path, scene: str) -> None:
    committed = read(sample_data / f"{scene}_labels.tif")
    fresh = read(remade / f"{scene}_labels.tif")
    # Another Pillow or processor may round a polygon's edge differently at a few pixels.
    assert fresh.shape == committed.shape
    assert np.mean(fresh != committed) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_generator_reproduces_the_pixels(sample_data: Path, remade: Path, scene: str) -> None:
    committed, fresh = read(sample_data / f"{scene}.tif"), read(remade / f"{scene}.tif")
    assert np.abs(fresh - committed).mean() < 0.002 * committed.mean()


@pytest.mark.slow
def test_generator_lists_checksums_of_what_it_wrote(remade: Path) -> None:
    lines = (remade / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    found = [f"{hashlib.sha256((remade / n).read_bytes()).hexdigest()}  {n}" for n in FILES]
    assert lines == found


def test_checksums_match_the_committed_files(sample_data: Path) -> None:
    lines = (sample_data / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert listed == {
        name: hashlib.sha256((sample_data / name).read_bytes()).hexdigest() for name in FILES
    }


def test_files_stay_small_enough_for_the_repository(sample_data: Path) -> None:
    assert sum((sample_data / name).stat().st_size for name in FILES) < 3_000_000


@pytest.mark.parametrize("scene", SCENES)
def test_labels_share_the_grid_of_their_scene(sample_data: Path, scene: str) -> None:
    with (
        rasterio.open(sample_data / f"{scene}.tif") as image,
        rasterio.open(sample_data / f"{scene}_labels.tif") as labels,
    ):
        assert (image.crs, image.transform, image.shape) == (
            labels.crs,
            labels.transform,
            labels.shape,
        )
        assert image.crs.to_epsg() == 32640
        assert image.res == (0.5, 0.5)


@pytest.mark.parametrize("scene", SCENES)
def test_collar_is_nodata_in_every_band_and_in_the_labels(sample_data: Path, scene: str) -> None:
    pixels, labels = read(sample_data / f"{scene}.tif"), read(sample_data / f"{scene}_labels.tif")
    absent = labels[0] == 255
    np.testing.assert_array_equal((pixels == 0).all(axis=0), absent)
    np.testing.assert_array_equal((pixels == 0).any(axis=0), absent)
    assert 0.02 < absent.mean() < 0.15
    assert absent[[0, 0, -1], [0, -1, 0]].all()


@pytest.mark.parametrize("scene", SCENES)
def test_every_class_covers_a_fair_share(sample_data: Path, scene: str) -> None:
    labels = read(sample_data / f"{scene}_labels.tif")
    shares = np.bincount(labels.ravel(), minlength=256) / labels.size
    assert (shares[:5] > 0.05).all()
    assert shares[5:255].sum() == 0


def test_bands_say_what_they_are(sample_data: Path) -> None:
    with rasterio.open(sample_data / "town_rgb.tif") as file:
        assert [band.name for band in file.colorinterp] == ["red", "green", "blue"]
        assert (set(file.dtypes), file.nodata) == ({"uint8"}, 0)
    with rasterio.open(sample_data / "town_4band_uint16.tif") as file:
        assert [band.name for band in file.colorinterp] == ["red", "green", "blue", "nir"]
        assert (set(file.dtypes), file.nodata) == ({"uint16"}, 0)
        assert file.descriptions == ("red", "green", "blue", "nir")


def test_counts_span_the_range_of_raw_data(sample_data: Path) -> None:
    pixels = read(sample_data / "town_4band_uint16.tif")
    valid = pixels[pixels > 0]
    assert 200 <= valid.min() < 300
    assert 2048 < valid.max() <= 2900


@pytest.mark.parametrize("scene", SCENES)
def test_labels_carry_a_colour_table(sample_data: Path, scene: str) -> None:
    with rasterio.open(sample_data / f"{scene}_labels.tif") as file:
        colours = [file.colormap(1)[index] for index in range(5)]
        assert len(set(colours)) == 5
        assert file.nodata == 255
        assert file.tags()["classes"].startswith("0 building, 1 land")


def test_near_infrared_separates_vegetation_from_water(sample_data: Path) -> None:
    infrared = read(sample_data / "town_4band_uint16.tif")[3]
    labels = read(sample_data / "town_4band_uint16_labels.tif")[0]
    assert infrared[labels == 3].mean() > 3 * infrared[labels == 4].mean()
