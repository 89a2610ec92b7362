"""A plan says what a prediction would take, and writes nothing."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsmamba.errors import OptionError, OutputExistsError
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window
from rsmamba.prediction import plan, predict
from rsmamba.prediction.memory import MemoryCost, choose_batch_size, column_blocks, memory_limit

Lab = Any
VRT = """<VRTDataset rasterXSize="50000" rasterYSize="50000">
<SRS>EPSG:32633</SRS><GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">scene.tif</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="40" ySize="40"/>
<DstRect xOff="0" yOff="0" xSize="50000" ySize="50000"/>
</SimpleSource></VRTRasterBand></VRTDataset>"""


def huge_scene(lab: Lab) -> Path:
    lab.scene(np.full((1, 40, 40), 3, dtype=np.uint8))
    path: Path = lab.folder / "huge.vrt"
    path.write_text(VRT, encoding="utf-8")
    return path


def test_a_huge_scene_is_planned_without_reading_it(lab: Lab) -> None:
    scene = huge_scene(lab)
    planned = plan(scene, lab.folder / "map.tif", model=lab.value_model(), device="cpu")
    assert planned.tiles == 112 * 112
    assert planned.grid.width == 50_000
    # A strip of four classes and of the input, and not the 2.5 GB of a class map.
    assert 50_000 * 512 * 4 * 4 < planned.memory_bytes < 10**9
    assert planned.disk_bytes > 50_000**2 > planned.output_bytes
    assert planned.seconds > planned.seconds_per_tile > 0
    assert not (lab.folder / "map.tif").exists()


def test_a_plan_is_what_the_prediction_then_does(lab: Lab) -> None:
    options = {"model": lab.value_model(), "tile": 64, "overlap": 16, "window": (3, 4, 150, 99)}
    scene = lab.random_scene(200, 300)
    planned = plan(scene, lab.folder / "map.tif", **options)
    result = lab.predict(scene, **options)
    assert planned.tiles == result.tiles_computed + result.tiles_skipped
    assert planned.grid.same_as(result.grid)
    assert planned.batch_size == result.batch_size
    assert planned.out == result.out


def test_a_plan_makes_the_checks_of_the_prediction(lab: Lab) -> None:
    scene = lab.random_scene(20, 20)
    (lab.folder / "map.tif").write_text("old")
    with pytest.raises(OutputExistsError, match="exists already"):
        plan(scene, lab.folder / "map.tif", model=lab.value_model())
    with pytest.raises(OptionError, match="overlap 9 does not fit"):
        plan(scene, lab.folder / "new.tif", model=lab.value_model(), tile=9, overlap=9)


def test_plan_and_result_are_plain_values(lab: Lab) -> None:
    scene = lab.random_scene(20, 30)
    planned = plan(scene, lab.folder / "map.tif", model=lab.value_model()).to_dict()
    result = lab.predict(scene, model=lab.value_model(), confidence="c.tif").to_dict()
    for values in (planned, result):
        assert json.loads(json.dumps(values, allow_nan=False))["grid"]["width"] == 30
    assert result["confidence"] == str(lab.folder / "c.tif")
    assert sum(result["class_shares"].values()) == pytest.approx(1)
    assert result["megapixels_per_second"] > 0


def cost() -> MemoryCost:
    return MemoryCost(fixed_bytes=1000, column_bytes=10)


def test_blocks_stay_within_the_limit_and_cover_the_region() -> None:
    region = Window(row=5, col=7, height=9, width=5000)
    tiles = TileGrid(height=100, width=6000, tile=64, overlap=0)
    blocks = column_blocks(region, tiles, cost=cost(), limit_bytes=20_000)
    assert [block.width for block in blocks] == [1536, 1536, 1536, 392]
    assert blocks[0].col == 7
    assert all(one.col_stop == two.col for one, two in pairwise(blocks))
    assert all(cost().total_bytes(block.width) <= 20_000 for block in blocks)


def test_one_block_is_enough_where_everything_fits() -> None:
    region = Window(row=0, col=0, height=9, width=500)
    tiles = TileGrid(height=9, width=500, tile=64, overlap=0)
    assert column_blocks(region, tiles, cost=cost(), limit_bytes=6000) == [region]


def test_a_limit_that_no_block_fits_is_refused_with_the_least_that_does() -> None:
    region = Window(row=0, col=0, height=9, width=5000)
    tiles = TileGrid(height=9, width=5000, tile=64, overlap=0)
    with pytest.raises(OptionError, match="is too little; give at least 1 MiB, or a smaller tile"):
        column_blocks(region, tiles, cost=cost(), limit_bytes=5000)


def test_the_limit_is_a_part_of_what_is_available() -> None:
    assert memory_limit(12345) == 12345
    assert memory_limit(None) > 2**20


def test_the_cpu_takes_one_tile_and_others_what_was_given() -> None:
    tiles = TileGrid(height=9, width=9, tile=9, overlap=0)
    assert choose_batch_size(None, "cpu", tiles) == 1
    assert choose_batch_size(None, "mps", tiles) == 4
    assert choose_batch_size(7, "cpu", tiles) == 7


def test_a_second_plan_needs_no_torch(lab: Lab) -> None:
    scene, out = lab.random_scene(60, 70, bands=3), lab.folder / "map.tif"
    assert not plan(scene, out, device="cpu").speed_is_remembered
    code = (
        "import sys; from rsmamba.prediction import plan\n"
        f"planned = plan({str(scene)!r}, {str(out)!r}, device='cpu')\n"
        "print(planned.speed_is_remembered, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    assert done.stdout.split() == ["True", "False"]


def test_a_prediction_leaves_its_speed_to_later_plans(lab: Lab) -> None:
    scene = lab.random_scene(60, 70, bands=3)
    predict(scene, lab.folder / "map.tif", tile=64, overlap=8, device="cpu")
    planned = plan(scene, lab.folder / "other.tif", device="cpu")
    assert planned.speed_is_remembered
    with_flips = plan(scene, lab.folder / "other.tif", device="cpu", tta="flips")
    assert not with_flips.speed_is_remembered


@pytest.mark.parametrize("content", ["[1]", "{", '{"a": "b"}'])
def test_what_is_remembered_may_be_spoilt(lab: Lab, own_cache_folder: Path, content: str) -> None:
    (own_cache_folder / "speed.json").write_text(content, encoding="utf-8")
    scene = lab.random_scene(60, 70, bands=3)
    assert plan(scene, lab.folder / "map.tif", device="cpu").seconds > 0


def test_a_folder_that_cannot_be_written_stops_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lab.folder / "file").write_text("")
    monkeypatch.setenv("RSMAMBA_CACHE_DIR", str(lab.folder / "file"))
    planned = plan(lab.random_scene(60, 70, bands=3), lab.folder / "map.tif", device="cpu")
    assert not planned.speed_is_remembered
