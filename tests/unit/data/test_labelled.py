"""Labelled scenes: labels as they are in the file, never invented, never misplaced."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.data import LabelledScene, Sample, ScenePair, open_scenes
from rsmamba.errors import BandError, DataError, GridMismatchError, SceneError

WriteRaster = Callable[..., Path]
CLASSES = ClassScheme.from_names(["a", "b", "c"])
LABELS = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)
PIXELS = np.arange(18, dtype=np.uint8).reshape(3, 2, 3)


def make_scene(image: Path, mask: Path, **options: Any) -> LabelledScene:  # noqa: ANN401
    return LabelledScene(ScenePair(image=image, mask=mask), classes=CLASSES, **options)


def whole(scene: LabelledScene) -> Sample:
    return scene.read(row=0, col=0, height=scene.height, width=scene.width)


def test_pixels_and_labels_are_those_of_the_files(write_raster: WriteRaster) -> None:
    scene = make_scene(write_raster("i.tif", PIXELS), write_raster("m.tif", LABELS))
    sample = whole(scene)
    assert np.array_equal(sample.pixels, PIXELS)
    assert np.array_equal(sample.labels, LABELS)
    assert sample.valid.all()
    assert scene.label_counts.tolist() == [2, 1, 2]


def test_labels_without_an_image_are_not_counted(write_raster: WriteRaster) -> None:
    """So that a split whose labels all lie in nodata is told, and class weights are right."""
    pixels = PIXELS.astype(np.float32)
    pixels[1, 0] = np.nan
    scene = make_scene(write_raster("i.tif", pixels), write_raster("m.tif", LABELS))
    assert scene.label_counts.tolist() == [1, 0, 1]


@pytest.mark.parametrize("hold", [False, True])
def test_a_scene_cut_in_two_has_each_row_once(write_raster: WriteRaster, hold: bool) -> None:
    labels = (np.arange(7)[:, None] % 3 * np.ones((1, 4))).astype(np.uint8)
    pixels = np.arange(28, dtype=np.uint8).reshape(1, 7, 4)
    image, mask = write_raster("i.tif", pixels), write_raster("m.tif", labels)
    parts = []
    for rows in ((0.0, 0.6), (0.6, 1.0)):
        pair = ScenePair(image=image, mask=mask, rows=rows)
        (scene,) = open_scenes([pair], classes=CLASSES, cache_mb=int(hold))
        parts.append(whole(scene))
        assert scene.label_counts.sum() == scene.height * 4
    assert [part.labels.shape for part in parts] == [(4, 4), (3, 4)]
    assert np.array_equal(np.concatenate([part.pixels for part in parts], axis=1), pixels)
    assert np.array_equal(np.concatenate([part.labels for part in parts]), labels)


def test_a_scene_too_low_to_be_cut_is_refused(write_raster: WriteRaster) -> None:
    image, mask = write_raster("i.tif", PIXELS[:, :1]), write_raster("m.tif", LABELS[:1])
    with pytest.raises(DataError, match=r"i.tif is too low to be cut in two; change data.val"):
        LabelledScene(ScenePair(image=image, mask=mask, rows=(0.8, 1.0)), classes=CLASSES)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_deep_pixels_keep_their_values(write_raster: WriteRaster, dtype: str) -> None:
    pixels = (PIXELS.astype(np.int64) * 1500).astype(dtype)
    scene = make_scene(write_raster("i.tif", pixels), write_raster("m.tif", LABELS))
    assert scene.dtype == dtype
    assert np.array_equal(whole(scene).pixels, pixels)


def test_bands_are_chosen_and_ordered(write_raster: WriteRaster) -> None:
    image, mask = write_raster("i.tif", PIXELS), write_raster("m.tif", LABELS)
    assert np.array_equal(whole(make_scene(image, mask, bidx=(3, 1))).pixels, PIXELS[[2, 0]])
    with pytest.raises(BandError, match="there is no band 4"):
        make_scene(image, mask, bidx=(4,))


def test_memory_returns_what_the_file_returns(write_raster: WriteRaster) -> None:
    scene = make_scene(write_raster("i.tif", PIXELS), write_raster("m.tif", LABELS))
    before = scene.read(row=1, col=1, height=1, width=2)
    scene.hold()
    scene.pair.image.unlink()
    after = scene.read(row=1, col=1, height=1, width=2)
    assert all(np.array_equal(getattr(before, n), getattr(after, n)) for n in Sample.__slots__)


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 0), ("int16", -9), ("float32", np.nan)])
def test_nodata_pixels_have_no_label(write_raster: WriteRaster, dtype: str, nodata: float) -> None:
    pixels = PIXELS.astype(dtype) + np.ones((), dtype)
    pixels[:, 0, 0] = nodata
    image = write_raster("i.tif", pixels, nodata=nodata)
    sample = whole(make_scene(image, write_raster("m.tif", LABELS)))
    assert sample.valid.tolist() == [[False, True, True], [True, True, True]]
    assert sample.labels.tolist() == [[255, 1, 2], [2, 255, 0]]
    assert (sample.pixels[:, 0, 0] == 0).all()


def test_transparent_pixels_have_no_label(write_raster: WriteRaster) -> None:
    alpha = np.array([[[255, 0, 255], [255, 255, 0]]], np.uint8)
    image = write_raster("i.png", np.concatenate([PIXELS, alpha]), driver="PNG")
    scene = make_scene(image, write_raster("m.tif", LABELS))
    assert scene.bidx == (1, 2, 3)
    assert whole(scene).labels.tolist() == [[0, 255, 2], [2, 255, 255]]


def test_nodata_of_the_label_raster_is_ignored(write_raster: WriteRaster) -> None:
    mask = write_raster("m.tif", np.where(LABELS == 0, 77, LABELS).astype(np.int16), nodata=77)
    sample = whole(make_scene(write_raster("i.tif", PIXELS), mask))
    assert sample.labels.tolist() == [[255, 1, 2], [2, 255, 255]]


def test_label_map_applies_once(write_raster: WriteRaster) -> None:
    mask = write_raster("m.tif", np.array([[1, 2, 100], [0, 300, 1]], np.uint16))
    image = write_raster("i.tif", PIXELS)
    scene = make_scene(image, mask, label_map={1: 0, 2: 1, 0: 2, 100: 255, 300: 1})
    assert whole(scene).labels.tolist() == [[0, 1, 255], [2, 1, 0]]


@pytest.mark.parametrize(("value", "dtype"), [(3, "uint8"), (-1, "int16"), (256, "uint16")])
def test_labels_outside_the_scheme_are_named(
    write_raster: WriteRaster, value: int, dtype: str
) -> None:
    labels = np.where(LABELS == 1, value, LABELS.astype(np.int64)).astype(dtype)
    image, mask = write_raster("i.tif", PIXELS), write_raster("m.tif", labels)
    match = (
        f"m.tif holds the label {value} .1 pixels, the first at row 0, col 1.; allowed are 0 to 2 "
        "and the ignore index 255; set data.label_map"
    )
    with pytest.raises(DataError, match=match):
        make_scene(image, mask)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (LABELS[:, :2], "m.tif is 2 px wide and 2 px high, its image 3 and 2"),
        (np.stack([LABELS] * 3), "m.tif has 3 bands of uint8; a label raster has one band"),
        (LABELS.astype(np.float32), "m.tif has 1 bands of float32; .* of integers"),
    ],
)
def test_rasters_that_are_no_labels_are_refused(
    write_raster: WriteRaster, labels: NDArray[Any], match: str
) -> None:
    with pytest.raises(DataError, match=match):
        make_scene(write_raster("i.tif", PIXELS), write_raster("m.tif", labels))


def test_labels_of_another_place_are_refused(write_raster: WriteRaster) -> None:
    mask = write_raster("m.tif", LABELS, transform=rasterio.Affine(2, 0, 500_002, 0, -2, 4_000_000))
    with pytest.raises(
        GridMismatchError, match=r"500002.* and its image .*500000.*; warp one onto"
    ):
        make_scene(write_raster("i.tif", PIXELS), mask)


def test_plain_pictures_go_with_georeferenced_ones(write_raster: WriteRaster) -> None:
    mask = write_raster("m.png", LABELS, driver="PNG", transform=None)
    assert np.array_equal(whole(make_scene(write_raster("i.tif", PIXELS), mask)).labels, LABELS)


def test_files_that_are_no_rasters_are_named(write_raster: WriteRaster, tmp_path: Path) -> None:
    (tmp_path / "m.tif").write_text("hello")
    with pytest.raises(SceneError, match=r"m.tif is not a raster"):
        make_scene(write_raster("i.tif", PIXELS), tmp_path / "m.tif")


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (PIXELS[:1], "1 bands of uint8 and .*0.tif 3 of uint8; choose bands with data.bidx"),
        (PIXELS.astype(np.uint16), "3 bands of uint16 and .*0.tif 3 of uint8"),
    ],
)
def test_scenes_of_another_kind_are_refused(
    write_raster: WriteRaster, other: NDArray[Any], match: str
) -> None:
    mask = write_raster("m.tif", LABELS)
    images = [write_raster(f"{i}.tif", pixels) for i, pixels in enumerate((PIXELS, other))]
    with pytest.raises(DataError, match=match):
        open_scenes([ScenePair(image=image, mask=mask) for image in images], classes=CLASSES)


def test_scenes_are_held_while_they_fit(write_raster: WriteRaster) -> None:
    pair = ScenePair(
        image=write_raster("i.tif", np.zeros((600, 1000), np.uint8)),
        mask=write_raster("m.tif", np.zeros((600, 1000), np.uint8)),
    )
    scenes = open_scenes([pair, pair], classes=CLASSES, cache_mb=2)
    assert [np.shares_memory(whole(s).pixels, whole(s).pixels) for s in scenes] == [True, False]
