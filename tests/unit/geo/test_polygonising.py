"""Regions become polygons that are whole, cover the map once, and keep their borders together."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy import ndimage

from rsmamba.geo.polygonising import ClassPolygon, MapStrip, class_polygons
from rsmamba.geo.regions import label_regions, reach_of_sieve, sieve

shapely = pytest.importorskip("shapely")
HEIGHT, WIDTH = 120, 60


@pytest.fixture
def class_map() -> NDArray[np.uint8]:
    """Patches of five classes, with a hole without a class."""
    noise = np.random.default_rng(0).normal(size=(HEIGHT, WIDTH))
    steps = (ndimage.gaussian_filter(noise, 3) * 20).round().clip(-2, 2)
    classes: NDArray[np.uint8] = (steps + 2).astype(np.uint8)
    classes[40:60, 20:40] = 255
    return classes


def polygons(
    classes: NDArray[np.uint8], *, rows: int = HEIGHT, simplify_px: float = 0.0
) -> list[ClassPolygon]:
    """Cut a map into strips and outline it; a score is the class by ten."""
    strips = [
        MapStrip(
            row=row,
            classes=classes[row : row + rows],
            confidence=classes[row : row + rows].astype(np.float32) / np.float32(10),
        )
        for row in range(0, HEIGHT, rows)
    ]
    return list(class_polygons(strips, simplify_px=simplify_px))


@pytest.mark.parametrize("rows", [HEIGHT, 37, 1])
def test_polygons_are_the_map_again(class_map: NDArray[np.uint8], rows: int) -> None:
    found = polygons(class_map, rows=rows)
    burnt = rasterize(
        [(one.geometry, one.class_index) for one in found],
        out_shape=class_map.shape,
        fill=255,
        dtype="uint8",
    )
    np.testing.assert_array_equal(burnt, class_map)


@pytest.mark.parametrize("rows", [HEIGHT, 37, 1])
def test_polygons_are_whole_across_strips(class_map: NDArray[np.uint8], rows: int) -> None:
    found = polygons(class_map, rows=rows)
    whole = np.bincount(label_regions(class_map)[0].ravel())[1:]
    assert sorted(one.num_pixels for one in found) == sorted(whole)
    assert all(one.geometry.area == one.num_pixels for one in found)
    assert all(one.geometry.is_valid for one in found)


def test_confidence_is_the_mean_over_the_region(class_map: NDArray[np.uint8]) -> None:
    for one in polygons(class_map, rows=37):
        assert one.confidence == pytest.approx(one.class_index / 10)


@pytest.mark.parametrize("rows", [HEIGHT, 37])
def test_simplified_neighbours_leave_no_gap_and_no_overlap(
    class_map: NDArray[np.uint8], rows: int
) -> None:
    exact, simple = (polygons(class_map, rows=rows, simplify_px=px) for px in (0.0, 2.0))
    outlines = [one.geometry for one in simple]
    covered = shapely.union_all(outlines)
    assert sum(outline.area for outline in outlines) == pytest.approx(covered.area)
    # The only holes and outer corners that are left are those of the hole without a class.
    hole = shapely.box(0, 0, WIDTH, HEIGHT).difference(covered)
    assert hole.area == pytest.approx(400, rel=0.05)
    assert shapely.get_num_geometries(hole) == 1
    corners = [
        sum(len(shapely.get_coordinates(one.geometry)) for one in found)
        for found in (exact, simple)
    ]
    assert corners[1] < 0.6 * corners[0]


def test_only_what_reaches_the_last_row_is_held() -> None:
    stripes = np.repeat(np.arange(HEIGHT // 10, dtype=np.uint8) % 2, 10)[:, None]
    classes = np.broadcast_to(stripes, (HEIGHT, WIDTH)).copy()
    read: list[int] = []

    def strips() -> Iterator[MapStrip]:
        for row in range(0, HEIGHT, 10):
            read.append(row)
            yield MapStrip(row=row, classes=classes[row : row + 10])

    for count, _ in enumerate(class_polygons(strips())):
        assert len(read) <= count + 2
    assert len(read) == 12


def test_small_regions_join_the_longest_border(class_map: NDArray[np.uint8]) -> None:
    sieved = sieve(class_map, min_pixels=8)
    assert ((sieved == 255) == (class_map == 255)).all()
    before, after = (np.bincount(label_regions(one)[0].ravel())[1:] for one in (class_map, sieved))
    assert before.min() < 8
    assert (after < 8).sum() < 0.1 * (before < 8).sum()


def test_a_sieve_does_not_look_further_than_it_says(class_map: NDArray[np.uint8]) -> None:
    whole, reach = sieve(class_map, min_pixels=4), reach_of_sieve(4)
    for row in range(0, HEIGHT, 30):
        first = max(row - reach, 0)
        part = sieve(class_map[first : row + 30 + reach], min_pixels=4)
        np.testing.assert_array_equal(part[row - first :][:30], whole[row : row + 30])


def test_a_region_without_large_neighbours_stays() -> None:
    board = (np.indices((6, 6)).sum(axis=0) % 2).astype(np.uint8)
    np.testing.assert_array_equal(sieve(board, min_pixels=3), board)
