"""RasterSink: what is written comes back, on the grid of the scene, with names and colours."""

import dataclasses
import itertools
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC
from rio_cogeo.cogeo import cog_validate

from rsmamba.classes import ClassScheme
from rsmamba.geo import kinds
from rsmamba.geo.creation import Creation
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.scene import Scene
from rsmamba.geo.writer import RasterSink, publish_together

RPCS = RPC(
    **dict.fromkeys(("height_off", "lat_off", "line_off", "long_off", "samp_off"), 0.5),
    **dict.fromkeys(("height_scale", "lat_scale", "line_scale", "long_scale"), 2.0),
    samp_scale=3.0,
    line_den_coeff=[1 / 3] * 20,
    line_num_coeff=[0.1] * 20,
    samp_den_coeff=[0.2] * 20,
    samp_num_coeff=[0.7] * 20,
)
POINTS = tuple(
    GroundControlPoint(row=row, col=col, x=10 + col, y=50 - row, z=3.0, id=str(row + col))
    for row, col in ((0.0, 0.0), (0.0, 9.5), (9.0, 0.0), (9.0, 9.5))
)


def _random_map(height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(height * width)
    return rng.choice(np.array([0, 1, 2, 255], np.uint8), size=(height, width))


def _write(
    path: Path,
    pixels: NDArray[Any],
    kind: kinds.RasterKind,
    *,
    grid: GeoGrid | None = None,
    creation: Creation | None = None,
) -> Path:
    height, width = pixels.shape[-2:]
    where = grid or GeoGrid(height=height, width=width)
    with RasterSink(path, grid=where, kind=kind, creation=creation, overwrite=True) as sink:
        for row in range(0, height, 50):
            sink.write(pixels[..., row : row + 50, :], row=row)
        return publish_together([sink])[0]


def _read(path: Path) -> tuple[NDArray[Any], dict[str, Any]]:
    with no_georeference_warning(), rasterio.open(path) as dataset:
        return dataset.read(), {
            "overviews": dataset.overviews(1),
            "profile": dataset.profile,
            "tags": dataset.tags(),
            "descriptions": dataset.descriptions,
            "scales": dataset.scales,
            "colours": [colour.name for colour in dataset.colorinterp],
        }


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 700), (513, 2), (512, 512), (513, 513), (1200, 600)]
)
def test_class_map_of_any_size_is_a_valid_cog(
    tmp_path: Path, classes: ClassScheme, height: int, width: int
) -> None:
    pixels = _random_map(height, width)
    path = _write(tmp_path / "mask.tif", pixels, kinds.class_map(classes))
    stored, facts = _read(path)
    np.testing.assert_array_equal(stored[0], pixels)
    assert facts["profile"]["nodata"] == 255
    assert bool(facts["overviews"]) is (max(height, width) > 512)
    with no_georeference_warning():
        valid, errors, warnings = cog_validate(path, strict=True)
    assert valid, (errors, warnings)


@pytest.mark.parametrize(
    "grid",
    [
        GeoGrid(height=9, width=8),
        GeoGrid(height=9, width=8, crs=CRS.from_epsg(32633), transform=Affine(3, 2, 9, 2, -3, 7)),
        GeoGrid(height=9, width=8, crs=CRS.from_epsg(4326), transform=Affine(1, 0, 175, 0, 1, 3)),
        GeoGrid(height=9, width=8, transform=Affine(1, 0, 175, 0, -1, 3)),
        GeoGrid(height=9, width=8, gcps=POINTS, gcps_crs=CRS.from_epsg(4326)),
        GeoGrid(height=9, width=8, gcps=POINTS),
        GeoGrid(height=9, width=8, rpcs=RPCS),
        GeoGrid(height=9, width=8, rpcs=RPCS, crs=CRS.from_epsg(3857), transform=Affine.scale(2)),
    ],
    ids=[
        "none",
        "rotated",
        "south-up over the antimeridian",
        "no CRS",
        "GCP",
        "GCP alone",
        "RPC",
        "RPC+CRS",
    ],
)
@pytest.mark.parametrize("output_format", ["COG", "GTiff"])
def test_grid_survives(
    tmp_path: Path, classes: ClassScheme, grid: GeoGrid, output_format: str
) -> None:
    creation = Creation.parse(output_format=output_format)
    pixels = _random_map(9, 8)
    path = _write(
        tmp_path / "mask.tif", pixels, kinds.class_map(classes), grid=grid, creation=creation
    )
    with Scene.open(path) as scene:
        assert scene.grid.same_as(grid)


def test_colours_and_names_are_stored(tmp_path: Path, classes: ClassScheme) -> None:
    path = _write(tmp_path / "mask.tif", _random_map(60, 60), kinds.class_map(classes))
    with no_georeference_warning(), rasterio.open(path) as dataset:
        table = dataset.colormap(1)
        assert dataset.descriptions == ("class",)
    assert [table[index] for index in range(3)] == [(*rgb, 255) for rgb in classes.colours]
    root = ET.parse(path.with_name("mask.tif.aux.xml")).getroot()
    assert [node.text for node in root.iter("Category")] == list(classes.names)


def test_attribute_table_counts_the_pixels(tmp_path: Path, classes: ClassScheme) -> None:
    pixels = _random_map(60, 60)
    path = _write(tmp_path / "mask.tif", pixels, kinds.class_map(classes))
    root = ET.parse(path.with_name("mask.tif.aux.xml")).getroot()
    rows = [[cell.text for cell in row] for row in root.iter("Row")]
    assert rows[1] == ["1", str((pixels == 1).sum()), "road & rail", "9", "9", "9"]
    assert len(rows) == 3


def test_overviews_of_classes_hold_only_classes(tmp_path: Path, classes: ClassScheme) -> None:
    pixels = np.full((1030, 1030), 255, np.uint8)
    pixels[:, :515] = 2
    pixels[::3, ::5] = 1
    path = _write(tmp_path / "mask.tif", pixels, kinds.class_map(classes))
    with no_georeference_warning(), rasterio.open(path, overview_level=1) as dataset:
        overview = dataset.read(1)
    assert overview.shape == (258, 258)
    assert set(np.unique(overview)) <= {1, 2, 255}
    assert (overview[:, :100] == 2).mean() > 0.9


def test_probabilities_have_names_and_a_scale(tmp_path: Path, classes: ClassScheme) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 600, 520), dtype=np.uint8)
    path = _write(tmp_path / "p.tif", pixels, kinds.probabilities(classes))
    stored, facts = _read(path)
    np.testing.assert_array_equal(stored, pixels)
    assert facts["descriptions"] == classes.names
    assert facts["scales"] == pytest.approx([1 / 254] * 3)
    assert not path.with_name("p.tif.aux.xml").exists()


def test_a_fourth_class_is_not_taken_for_transparency(tmp_path: Path) -> None:
    four = ClassScheme.from_names(["a", "b", "c", "d"])
    pixels = np.zeros((4, 20, 20), np.uint8)
    for output_format in ("COG", "GTiff"):
        creation = Creation.parse(output_format=output_format)
        path = _write(tmp_path / "p.tif", pixels, kinds.probabilities(four), creation=creation)
        assert not {"alpha", "red", "green", "blue"} & set(_read(path)[1]["colours"])
        with Scene.open(path) as scene:
            assert scene.bidx == (1, 2, 3, 4)


def test_float_confidence_has_nan_for_nodata(tmp_path: Path) -> None:
    pixels = np.linspace(0, 1, 600 * 520, dtype=np.float32).reshape(1, 600, 520)
    pixels[:, 100:200] = np.nan
    path = _write(tmp_path / "c.tif", pixels, kinds.confidence(dtype="float32"))
    stored, facts = _read(path)
    np.testing.assert_array_equal(stored, pixels)
    assert np.isnan(facts["profile"]["nodata"])
    with no_georeference_warning(), rasterio.open(path, overview_level=0) as dataset:
        overview = dataset.read(1)
    assert np.isnan(overview[50:100]).all()
    assert overview[20, 20] == pytest.approx(pixels[0, 40:42, 40:42].mean())


@pytest.mark.parametrize(
    ("options", "output_format", "expected"),
    [
        ({}, "COG", {"compress": "lzw", "blockxsize": 512}),
        ({"COMPRESS": "ZSTD", "BLOCKSIZE": "128"}, "COG", {"compress": "zstd", "blockysize": 128}),
        ({"COMPRESS": "DEFLATE", "LEVEL": "1"}, "GTiff", {"compress": "deflate", "tiled": True}),
        ({"COMPRESS": "NONE", "BLOCKSIZE": "256"}, "GTiff", {"blockxsize": 256}),
        ({"COMPRESS": "NONE"}, "COG", {"blockxsize": 512}),
    ],
)
def test_creation_options_reach_the_file(
    tmp_path: Path,
    classes: ClassScheme,
    options: dict[str, str],
    output_format: str,
    expected: dict[str, Any],
) -> None:
    creation = Creation.parse(options, output_format=output_format)
    pixels = _random_map(600, 600)
    path = _write(tmp_path / "mask.tif", pixels, kinds.class_map(classes), creation=creation)
    stored, facts = _read(path)
    np.testing.assert_array_equal(stored[0], pixels)
    assert expected.items() <= facts["profile"].items()


def test_tags_tell_where_a_map_comes_from(tmp_path: Path, classes: ClassScheme) -> None:
    grid = GeoGrid(height=4, width=4)
    tags = {"model": "default", "options": '{"tile": 512}'}
    kind = kinds.class_map(classes)
    with RasterSink(tmp_path / "mask.tif", grid=grid, kind=kind, tags=tags) as sink:
        sink.write(np.zeros((4, 4), np.uint8), row=0)
        (path,) = publish_together([sink])
    stored = _read(path)[1]["tags"]
    assert stored["RSMAMBA_MODEL"] == "default"
    assert stored["RSMAMBA_OPTIONS"] == '{"tile": 512}'


@pytest.mark.parametrize("edges", [[0, 512, 1000], [0, 333, 1000]])
def test_column_blocks_give_the_same_map(
    tmp_path: Path, classes: ClassScheme, edges: list[int]
) -> None:
    pixels = _random_map(300, 1000)
    kind = kinds.class_map(classes)
    whole = _write(tmp_path / "whole.tif", pixels, kind).read_bytes()
    grid = GeoGrid(height=300, width=1000)
    with RasterSink(tmp_path / "blocks.tif", grid=grid, kind=kind) as sink:
        for col, stop in itertools.pairwise(edges):
            for row in range(0, 300, 77):
                sink.write(pixels[row : row + 77, col:stop], row=row, col=col)
        assert sink.counts.tolist() == [(pixels == index).sum() for index in range(3)]
        (path,) = publish_together([sink])
    assert path.read_bytes() == whole


def test_map_of_a_map_is_on_the_same_grid(tmp_path: Path, classes: ClassScheme) -> None:
    kind = kinds.class_map(classes)
    grid = GeoGrid(
        height=30, width=30, crs=CRS.from_epsg(3857), transform=Affine(0.1, 0, 1 / 3, 0, -0.1, 2)
    )
    first = _write(tmp_path / "first.tif", _random_map(30, 30), kind, grid=grid)
    with Scene.open(first) as scene:
        second = _write(tmp_path / "second.tif", _random_map(30, 30), kind, grid=scene.grid)
    with Scene.open(second) as scene:
        assert dataclasses.asdict(scene.grid) == dataclasses.asdict(grid)
