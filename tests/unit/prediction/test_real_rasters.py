"""Every odd raster ends in a right map or in one clear line, and keeps its georeference."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from rsmamba.errors import RsmambaError
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.scene import Scene

Lab = Any
# What is damaged on purpose, or has more bands than a model could mean.
DAMAGED = {"corrupt.tif", "idontexist.vrt", "corrupted_gtiff_tags.tif"}
# Tens of megapixels; enough is seen in a window.
LARGE = {"cog_world.tif": (9000, 3000, 700, 600), "cog_cmap.tif": (3000, 3000, 700, 600)}
GEOREFERENCED = [
    "odc-geo/au-3577-rotated.tif",
    "odc-geo/au-gcp.tif",
    "rasterio/RGB.byte.gcp.vrt",
    "rasterio/RGB.byte.rpc.vrt",
    "rio-tiler/inverted_lat.tif",
    "geotiff-test-data/nz_habitat_anticross_4326_1deg.tif",
    "mapserver/grey_upsidedown.tif",
    "derived/naip_2018_rgb.png",
]


def usable_bands() -> dict[str, int]:
    """Read from the manifest how many bands each file offers a model."""
    manifest = Path(__file__).parents[4] / "shared" / "data" / "awkward" / "manifest.csv"
    if not manifest.exists():
        return {}
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["file"]: int(row["bands"]) - ("alpha" in row["mask_flags"]) for row in rows}


BANDS = usable_bands()


@pytest.mark.parametrize("name", BANDS)
def test_a_raster_gives_a_map_with_its_mask_or_one_clear_line(
    name: str, shared_data: Path, lab: Lab
) -> None:
    path = shared_data / "awkward" / name
    window = LARGE.get(path.name)
    model = lab.constant_model(0.0, 1.0, mean=[0.0], std=[1.0])
    if path.name in DAMAGED:
        with pytest.raises(RsmambaError, match=re.escape(path.name)):
            lab.predict(path, model=model)
        assert list(lab.folder.iterdir()) == []
        return
    lab.predict(path, model=model, window=window, tile=256)
    out_path = lab.folder / "map.tif"
    with (
        no_georeference_warning(),
        Scene.open(path, num_bands=1) as scene,
        rasterio.open(out_path) as out,
    ):
        part = scene.grid.window if window is None else lab.window(*window)
        valid = scene.read(part).valid
        np.testing.assert_array_equal(out.read(1), np.where(valid, 1, 255))
        assert scene.grid.for_window(part).same_as(type(scene.grid).from_dataset(out))


@pytest.mark.parametrize("bands", [2, 3])
@pytest.mark.parametrize("name", BANDS)
def test_a_model_of_several_bands_gets_them_or_says_why_not(
    name: str, bands: int, shared_data: Path, lab: Lab
) -> None:
    path = shared_data / "awkward" / name
    model = lab.constant_model(1.0, 0.0, in_channels=bands)
    options = {"model": model, "window": LARGE.get(path.name), "tile": 256}
    is_palette = path.name == "cog_cmap.tif"
    if path.name in DAMAGED or (BANDS[name] < bands and not (is_palette and bands == 3)):
        with pytest.raises(RsmambaError, match=re.escape(path.name)) as failure:
            lab.predict(path, **options)
        assert "\n" not in str(failure.value)
        assert list(lab.folder.iterdir()) == []
        return
    result = lab.predict(path, **options)
    assert result.class_pixels["class1"] == 0
    assert result.class_pixels["class0"] + result.masked_pixels == result.num_pixels


@pytest.mark.parametrize("name", GEOREFERENCED)
def test_a_part_of_a_raster_keeps_the_place_of_its_pixels(
    name: str, shared_data: Path, lab: Lab
) -> None:
    path = shared_data / "awkward" / name
    lab.predict(path, model=lab.constant_model(0.0, 1.0), window=(7, 5, 20, 19))
    out_path = lab.folder / "map.tif"
    with (
        no_georeference_warning(),
        Scene.open(path, num_bands=1) as scene,
        rasterio.open(out_path) as out,
    ):
        expected = scene.grid.for_window(lab.window(7, 5, 20, 19))
        assert expected.same_as(type(expected).from_dataset(out))


@pytest.mark.parametrize(
    "georeference",
    [
        {"transform": Affine(1.6, 1.2, 5e5, 1.2, -1.6, 5e6)},
        {"transform": Affine(2, 0, 5e5, 0, 2, 5e6)},
        {"crs": None, "transform": None},
        {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 179.8, 0, -0.01, -16)},
        {"crs": "EPSG:4326", "transform": None, "gcps": [
            GroundControlPoint(row=0, col=0, x=10, y=50),
            GroundControlPoint(row=0, col=40, x=11, y=50.1),
            GroundControlPoint(row=30, col=0, x=10.1, y=49),
        ]},
    ],
    ids=["rotated", "south-up", "none", "antimeridian", "gcps"],
)  # fmt: skip
def test_all_outputs_have_the_grid_of_the_scene(georeference: dict[str, Any], lab: Lab) -> None:
    values = np.random.default_rng(1).integers(0, 4, (1, 30, 40), dtype=np.uint8)
    scene = lab.scene(values, **georeference)
    outputs = {"probabilities": "p.tif", "confidence": "c.tif"}
    lab.predict(scene, model=lab.value_model(4), tile=16, overlap=4, **outputs)
    with Scene.open(scene) as opened:
        for name in ("map.tif", "p.tif", "c.tif"):
            with no_georeference_warning(), rasterio.open(lab.folder / name) as out:
                assert opened.grid.same_as(type(opened.grid).from_dataset(out))
