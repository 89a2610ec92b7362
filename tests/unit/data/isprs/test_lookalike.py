"""Look-alikes have the names, bands and values of the real folders."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmamba.classes import ISPRS_CLASSES
from rsmamba.data.isprs.lookalike import erode_labels, make_isprs
from rsmamba.data.isprs.painter import paint_town
from rsmamba.errors import OptionError, OutputError, OutputExistsError
from rsmamba.geo.environment import no_georeference_warning


def read(path: Path) -> np.ndarray:
    with no_georeference_warning(), rasterio.open(path) as file:
        return np.asarray(file.read())


def test_vaihingen_is_named_and_built_like_the_real_one(vaihingen: Path) -> None:
    stem = "top_mosaic_09cm_area1"
    assert read(vaihingen / "top" / f"{stem}.tif").shape == (3, 48, 48)
    full = read(vaihingen / "gts_for_participants" / f"{stem}.tif")
    eroded = read(vaihingen / "gts_eroded_for_participants" / f"{stem}_noBoundary.tif")
    colours = {tuple(colour) for colour in full.reshape(3, -1).T.tolist()}
    assert colours == set(ISPRS_CLASSES.colours)
    black = (eroded == 0).all(axis=0)
    assert 0.05 < black.mean() < 0.95
    assert np.array_equal(eroded[:, ~black], full[:, ~black])
    assert read(vaihingen / "dsm/dsm_09cm_matching_area1.tif").dtype == np.float32
    with rasterio.open(vaihingen / "top/top_mosaic_09cm_area30.tif") as file:
        assert (file.height, file.width) == (64, 48)
        assert file.res == pytest.approx((0.09, 0.09))


def test_bands_of_potsdam_are_the_same_pixels(tmp_path: Path) -> None:
    root = make_isprs(tmp_path, dataset="potsdam", size=48, tiles=1).root
    rgbir = read(root / "4_Ortho_RGBIR/top_potsdam_2_12_RGBIR.tif")
    assert rgbir.shape == (4, 48, 48)
    assert np.array_equal(read(root / "2_Ortho_RGB/top_potsdam_2_12_RGB.tif"), rgbir[:3])
    assert np.array_equal(read(root / "3_Ortho_IRRG/top_potsdam_2_12_IRRG.tif"), rgbir[[3, 0, 1]])
    heights = read(root / "1_DSM_normalisation/dsm_potsdam_02_12_normalized_lastools.jpg")
    assert heights.dtype == np.uint8
    assert heights.max() > 30


def test_erosion_is_every_pixel_whose_disc_meets_two_classes() -> None:
    labels = paint_town(height=48, width=60, seed=3).labels
    expected = np.zeros(labels.shape, np.bool_)
    for row, col in np.ndindex(*labels.shape):
        disc = {
            int(labels[other_row, other_col])
            for other_row in range(max(0, row - 3), min(48, row + 4))
            for other_col in range(max(0, col - 3), min(60, col + 4))
            if (other_row - row) ** 2 + (other_col - col) ** 2 <= 9
        }
        expected[row, col] = len(disc) > 1
    assert np.array_equal(erode_labels(labels), expected)


def test_tiles_are_a_function_of_the_seed() -> None:
    first, second, other = (paint_town(height=48, width=48, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, second.pixels)
    assert not np.array_equal(first.labels, other.labels)
    assert {*np.unique(first.labels).tolist()} == set(range(6))


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    for size, tiles in ((47, 1), (48, 0), (48, 34)):
        with pytest.raises(
            OptionError, match=f"size is {size} and tiles {tiles}; give .* 33 tiles"
        ):
            make_isprs(tmp_path / "a", dataset="vaihingen", size=size, tiles=tiles)
    with pytest.raises(OptionError, match="seed is -1; give 0 or more"):
        make_isprs(tmp_path / "a", dataset="vaihingen", seed=-1)
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="exists and is not an empty folder; give another"):
        make_isprs(tmp_path, dataset="vaihingen")
    with pytest.raises(OutputError, match=r"cannot write to .*file/below: "):
        make_isprs(tmp_path / "file" / "below", dataset="vaihingen", size=48, tiles=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
