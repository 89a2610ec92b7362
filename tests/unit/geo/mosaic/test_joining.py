"""Joining window by window gives what joining whole arrays gives."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import reproject

from rsmamba.errors import OptionError, SceneError
from rsmamba.geo.mosaic.joining import joined_windows
from rsmamba.geo.mosaic.planning import MosaicPlan, plan_mosaic
from rsmamba.geo.mosaic.reading import OpenMaps
from rsmamba.geo.mosaic.rules import Rule, check_rule, make_joiner
from rsmamba.geo.window import Window

WriteMap = Callable[..., Path]
Layers = Sequence[tuple[NDArray[np.uint8], NDArray[Any]]]
RULES: tuple[Rule, ...] = ("first", "last", "confidence", "majority")
SHAPES = [(5, 13), (1, 500), (512, 2048)]


def random_layer(random: np.random.Generator, *, dtype: str = "uint8") -> Any:  # noqa: ANN401
    """A map that covers a part of 30 x 40 px: its classes and confidence, and its first pixel."""
    height, width = random.integers(1, 24, 2)
    row, col = random.integers(0, 30 - height + 1), random.integers(0, 40 - width + 1)
    classes = random.integers(0, 4, (height, width), dtype=np.uint8)
    # Few steps, so that there are ties.
    confidence = random.integers(0, 6, (height, width)).astype(dtype)
    absent = random.random((height, width)) < 0.3
    classes[absent] = 255
    confidence[absent] = 255 if dtype == "uint8" else np.nan
    return classes, confidence, int(row), int(col)


def plainly(layers: Layers, rule: Rule) -> NDArray[np.uint8]:
    """Join whole arrays, pixel by pixel."""
    shape = layers[0][0].shape
    joined = np.full(shape, 255, dtype=np.uint8)
    for place in np.ndindex(shape):
        there = [(int(one[place]), float(score[place])) for one, score in layers]
        there = [pair for pair in there if pair[0] != 255]
        if not there:
            continue
        # max and Counter keep the first of equal ones.
        joined[place] = {
            "first": there[0][0],
            "last": there[-1][0],
            "confidence": max(there, key=lambda pair: pair[1])[0],
            "majority": Counter(pair[0] for pair in there).most_common(1)[0][0],
        }[rule]
    return joined


def windowed(
    plan: MosaicPlan, rule: Rule, shape: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    joined = np.full((plan.grid.height, plan.grid.width), 255, dtype=np.uint8)
    windows = joined_windows(plan.sources, plan.grid, rule=rule, num_classes=4, shape=shape)
    for window, classes in windows:
        if classes is not None:
            joined[window.slices] = classes
    return joined


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("seed", range(2))
def test_windows_join_as_whole_arrays_do(write_map: WriteMap, seed: int, dtype: str) -> None:
    random = np.random.default_rng(seed)
    # The first map is on the corner, so that no pixel of the arrays is cut off.
    layers, pairs = [], []
    for number in range(9):
        classes, confidence, row, col = random_layer(random, dtype=dtype)
        row, col = (row, col) if number else (0, 0)
        steps = Affine(2, 0, 5e5 + 2 * col, 0, -2, 5e6 - 2 * row)
        path = write_map(classes, name=f"{number}.tif", transform=steps, confidence=confidence)
        pairs.append((path, path.with_name(f"{number}_confidence.tif")))
        whole = np.full((2, 60, 70), 255, dtype=np.float32)
        whole[:, row : row + classes.shape[0], col : col + classes.shape[1]] = classes, confidence
        layers.append((whole[0].astype(np.uint8), whole[1]))
    plan = plan_mosaic(pairs)
    assert not plan.resampled
    for rule in RULES:
        inside = (slice(plan.grid.height), slice(plan.grid.width))
        expected = plainly([(one[inside], score[inside]) for one, score in layers], rule)
        for shape in SHAPES:
            assert windowed(plan, rule, shape).tobytes() == expected.tobytes()


OTHER_GRIDS = {
    "another CRS": ("EPSG:32634", Affine(2, 0, 29_000, 0, -2, 5_020_000)),
    "another resolution": ("EPSG:32633", Affine(3.1, 0, 500_007, 0, -3.1, 4_999_993)),
    "a shifted grid": ("EPSG:32633", Affine(2, 0, 500_011.3, 0, -2, 4_999_990.7)),
    "not north-up": ("EPSG:32633", Affine(2, 0.7, 500_011.3, 0.6, -2, 4_999_990.7)),
    "a flipped one": ("EPSG:32633", Affine(2, 0, 500_010, 0, 2, 4_999_800)),
}


@pytest.mark.parametrize("kind", OTHER_GRIDS)
@pytest.mark.parametrize("shape", [(13, 17), (512, 2048)])
def test_other_grids_are_resampled_as_by_gdal(
    write_map: WriteMap, kind: str, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(5)
    crs, steps = OTHER_GRIDS[kind]
    classes = random.integers(0, 4, (90, 80), dtype=np.uint8)
    classes[random.random(classes.shape) < 0.2] = 255
    first = write_map(np.full((5, 5), 255, np.uint8), name="first.tif")
    other = write_map(classes, name="other.tif", crs=crs, transform=steps)
    plan = plan_mosaic([(first, None), (other, None)])
    assert list(plan.resampled) == [kind.replace("a flipped one", "not north-up")]
    expected = np.full((plan.grid.height, plan.grid.width), 255, dtype=np.uint8)
    reproject(
        classes, expected, src_crs=crs, src_transform=steps, src_nodata=255, dst_nodata=255,
        dst_crs=plan.grid.crs, dst_transform=plan.grid.transform, tolerance=0,
    )  # fmt: skip
    assert (expected != 255).sum() > 2000
    assert windowed(plan, "first", shape).tobytes() == expected.tobytes()


def test_few_files_are_open_at_a_time(write_map: WriteMap, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = np.full((4, 4), 255, dtype=np.uint8)
    pairs = [(write_map(classes, name=f"{number}.tif"), None) for number in range(6)]
    seen: list[int] = []
    limited = OpenMaps(num_classes=4, most=3)
    read = limited.read

    def counted(*arguments: Any) -> Any:  # noqa: ANN401 - as read
        found = read(*arguments)
        seen.append(len(limited._open))
        return found

    monkeypatch.setattr(limited, "read", counted)
    monkeypatch.setattr("rsmamba.geo.mosaic.joining.OpenMaps", lambda **_: limited)
    windowed(plan_mosaic(pairs), "first", (2, 2))
    assert max(seen) == 3
    assert len(seen) == 24
    assert not limited._open


def test_full_windows_read_no_more_maps(write_map: WriteMap) -> None:
    whole = np.ones((8, 8), dtype=np.uint8)
    paths = [write_map(whole, name=name) for name in ("a.tif", "b.tif")]
    plan = plan_mosaic([(path, None) for path in paths])
    paths[1].write_bytes(b"damaged by now")
    assert (windowed(plan, "first") == 1).all()
    with pytest.raises(SceneError, match=r"class map .*b.tif cannot be read: .*; predict it again"):
        windowed(plan, "last")


def test_values_that_are_no_class_are_refused(write_map: WriteMap) -> None:
    plan = plan_mosaic([(write_map(np.full((3, 3), 4, dtype=np.uint8)), None)])
    message = r"map.tif holds the value 4, which is none of its 4 classes; predict it again"
    with pytest.raises(SceneError, match=message):
        windowed(plan, "majority")


def test_a_much_coarser_mosaic_reads_maps_in_pieces(
    write_map: WriteMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    pair = (write_map(random.integers(0, 4, (90, 80), dtype=np.uint8)), None)
    plan = plan_mosaic([pair], resolution=7)
    whole = windowed(plan, "first")
    monkeypatch.setattr("rsmamba.geo.mosaic.reading._MOST_SOURCE_PIXELS", 100)
    monkeypatch.setattr("rsmamba.geo.mosaic.reading._PIXELS_AT_ONCE", 200)
    assert windowed(plan, "first").tobytes() == whole.tobytes()


def test_a_rule_that_is_not_known_is_refused() -> None:
    with pytest.raises(OptionError, match="'best' is not known; give one of first, last, conf"):
        check_rule("best")
    joiner = make_joiner("confidence", height=2, width=2, num_classes=4)
    window = Window(row=0, col=0, height=2, width=2)
    with pytest.raises(OptionError, match="needs the confidence of every map; give it"):
        joiner.add(window, np.zeros((2, 2), np.uint8), None)


@pytest.mark.parametrize("num_classes", [2, 255])
def test_votes_fit_in_memory(num_classes: int, write_map: WriteMap) -> None:
    plan = plan_mosaic([(write_map(np.full((600, 2100), 255, dtype=np.uint8)), None)])
    windows = joined_windows(plan.sources, plan.grid, rule="majority", num_classes=num_classes)
    largest = max(window.num_pixels for window, _ in windows)
    assert 8 * num_classes * largest <= max(2**26, 8 * num_classes * 64 * 512)
