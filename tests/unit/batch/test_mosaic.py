"""make_mosaic: files, what is done already, and what is refused."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rio_cogeo.cogeo import cog_validate

from rsmamba.batch import make_mosaic
from rsmamba.errors import DataError, OptionError, OutputBusyError, OutputExistsError
from rsmamba.evaluation.naming import raster_classes
from rsmamba.geo.opening import open_dataset
from rsmamba.geo.part_folder import PartFolder

WriteMap = Callable[..., Path]


@pytest.fixture
def maps(write_map: WriteMap) -> list[Path]:
    """Three maps that overlap, with confidence."""
    random = np.random.default_rng(0)
    paths = []
    for number, (row, col) in enumerate([(0, 0), (30, 20), (10, 60)]):
        classes = random.integers(0, 4, (50, 70), dtype=np.uint8)
        classes[random.random(classes.shape) < 0.2] = 255
        paths.append(
            write_map(
                classes,
                name=f"maps/{number}.tif",
                transform=Affine(2, 0, 5e5 + 2 * col, 0, -2, 5e6 - 2 * row),
                confidence=random.integers(0, 255, classes.shape, dtype=np.uint8),
            )
        )
    return paths


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with open_dataset(path) as file:
        pixels: NDArray[np.uint8] = file.read(1)
    return pixels


def test_a_mosaic_is_a_map_like_others(maps: list[Path], tmp_path: Path) -> None:
    result = make_mosaic(maps, tmp_path / "all.tif", rule="majority")
    assert (result.status, result.scenes, result.grid) == (
        "done",
        3,
        "130 x 80 px, EPSG:32633, 2 m",
    )
    assert cog_validate(result.out, quiet=True)[0]
    classes = raster_classes(result.out)
    assert classes is not None
    assert classes.names == ("land", "water", "tree", "car")
    with rasterio.open(result.out) as file:
        assert (file.nodata, file.shape) == (255, (80, 130))
        tags = file.tags()
    assert "the class that most maps have there" in tags["RSMAMBA_MOSAIC_SEAMS"]
    assert tags["RSMAMBA_MOSAIC_SCENES"] == "3"
    assert (tags["RSMAMBA_MODEL"], tags["RSMAMBA_MODEL_HASH"]) == ("m", "h")
    assert json.dumps(result.to_dict())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "all.tif",
        "all.tif.aux.xml",
        "maps",
    ]


def test_what_is_done_is_left_and_more_maps_make_it_anew(maps: list[Path], tmp_path: Path) -> None:
    out, folder = tmp_path / "all.tif", tmp_path / "maps"
    make_mosaic(maps[:2], out, folder=folder)
    before = out.stat().st_mtime_ns
    again = make_mosaic(maps[:2], out, folder=folder)
    assert (again.status, again.scenes, out.stat().st_mtime_ns) == ("skipped", 2, before)
    more = make_mosaic(maps, out, folder=folder)
    assert (more.status, more.scenes) == ("done", 3)
    os.utime(maps[0])
    assert make_mosaic(maps, out, folder=folder).status == "done"
    assert make_mosaic(maps, out, folder=folder, overwrite=True).status == "done"


@pytest.mark.parametrize("name", ["all.tif", "all.vrt"])
def test_other_files_are_replaced_only_with_overwrite(
    maps: list[Path], tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    out.write_text("precious")
    message = r"exists already and was not made of this folder by rule first .*or --overwrite"
    with pytest.raises(OutputExistsError, match=message):
        make_mosaic(maps, out)
    make_mosaic(maps, out, overwrite=True)
    with pytest.raises(OutputExistsError, match="not made of this folder by rule last"):
        make_mosaic(maps, out, rule="last")
    with pytest.raises(OutputExistsError, match="not made of this folder"):
        make_mosaic(maps, out, folder=tmp_path)


@pytest.mark.parametrize("rule", ["first", "last"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 1.6])
def test_a_vrt_shows_what_the_tif_holds(
    maps: list[Path], tmp_path: Path, rule: str, shift: float, write_map: WriteMap
) -> None:
    options: dict[str, Any] = {"rule": rule, "folder": tmp_path}
    steps = Affine(2, 0, 5e5 + 20 + shift, 0, -2, 5e6 + shift)
    maps.insert(
        1, write_map(np.full((9, 9), 2, np.uint8), name="maps/shifted.tif", transform=steps)
    )
    vrt = make_mosaic(maps, tmp_path / "all.vrt", **options).out
    tif = make_mosaic(maps, tmp_path / "all.tif", **options).out
    assert pixels_of(vrt).tobytes() == pixels_of(tif).tobytes()
    assert raster_classes(vrt) == raster_classes(tif)
    assert make_mosaic(maps, vrt, **options).status == "skipped"
    with rasterio.open(vrt) as first, rasterio.open(tif) as second:
        assert (first.crs, first.transform) == (second.crs, second.transform)
        assert first.colormap(1)[1] == second.colormap(1)[1]
        assert first.tags()["RSMAMBA_MOSAIC_RULE"] == rule


def test_a_vrt_names_maps_relative_to_itself(maps: list[Path], tmp_path: Path) -> None:
    vrt = make_mosaic(maps, tmp_path / "all.vrt").out
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "maps").rename(moved / "maps")
    vrt = vrt.rename(moved / "all.vrt")
    assert (pixels_of(vrt) != 255).any()


def test_what_a_vrt_cannot_do_is_refused(
    maps: list[Path], tmp_path: Path, write_map: WriteMap, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "all.vrt"
    with pytest.raises(OptionError, match=r"cannot join by majority.*give --mosaic .*all.tif, or"):
        make_mosaic(maps, out, rule="majority")
    other = write_map(np.zeros((3, 3), np.uint8), name="maps/o.tif", crs="EPSG:32634")
    message = r"cannot be a VRT in EPSG:32633: 1 of another CRS; give --mosaic .*all.tif"
    with pytest.raises(OptionError, match=message):
        make_mosaic([*maps, other], out)
    assert not out.exists()
    (tmp_path / "elsewhere").mkdir()
    make_mosaic(maps, tmp_path / "elsewhere" / "all.vrt")
    assert "not in its folder; rsmamba will open it with --allow-remote only" in caplog.text


def test_names_in_a_vrt_are_escaped(write_map: WriteMap, tmp_path: Path) -> None:
    path = write_map(np.ones((3, 3), np.uint8), name="maps/a & 'b' ü.tif")
    assert (pixels_of(make_mosaic([path], tmp_path / "all.vrt").out) == 1).all()


def test_resampled_and_lost_maps_are_told(
    maps: list[Path], write_map: WriteMap, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shifted = write_map(
        np.zeros((3, 3), np.uint8), name="maps/s.tif", transform=Affine(2, 0, 5e5 + 1, 0, -2, 5e6)
    )
    far = write_map(
        np.zeros((3, 3), np.uint8), name="maps/f.tif", transform=Affine(2, 0, 6e5, 0, -2, 5e6)
    )
    result = make_mosaic([*maps, shifted, far, tmp_path / "maps" / "gone.tif"], tmp_path / "a.tif")
    assert result.resampled == {"a shifted grid": 1}
    assert "1 of 5 maps are resampled by nearest neighbour for the mosaic: 1 on a" in caplog.text
    assert "% of the mosaic of" in caplog.text
    assert [one.path.name for one in result.left_out] == ["gone.tif"]
    again = make_mosaic([*maps, shifted, far, tmp_path / "maps" / "gone.tif"], tmp_path / "a.tif")
    assert (again.status, again.left_out) == ("skipped", result.left_out)


def test_a_mosaic_that_another_run_writes_is_left_to_it(maps: list[Path], tmp_path: Path) -> None:
    other = PartFolder(tmp_path / "all.tif")
    other.acquire()
    with pytest.raises(OutputBusyError, match="is writing"):
        make_mosaic(maps, tmp_path / "all.tif")
    other.release()
    make_mosaic(maps, tmp_path / "all.tif")


def test_nothing_is_left_of_a_mosaic_that_was_stopped(
    maps: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("rsmamba.batch.mosaic.joined_windows", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_mosaic(maps, tmp_path / "all.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "best"}, "mosaic rule 'best' is not known; give one of first, last, confidence"),
        ({"crs": "EPSG:0"}, "mosaic CRS 'EPSG:0' is not known; give one such as EPSG:25832"),
        ({"crs": "http://a/b"}, "mosaic CRS 'http://a/b' is not known"),
        ({"resolution": -1.0}, "mosaic resolution -1.0 is not a length"),
    ],
)
def test_wrong_options_are_refused(
    maps: list[Path], tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        make_mosaic(maps, tmp_path / "all.tif", **options)


def test_wrong_names_are_refused(maps: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"all.png ends in .png; give a name .* .tif or .vrt"):
        make_mosaic(maps, tmp_path / "all.png")
    with pytest.raises(OptionError, match=r"all has no ending; give a name that ends in .tif or"):
        make_mosaic(maps, tmp_path / "all")
    with pytest.raises(OSError, match=r"0.tif is also an input; give another name"):
        make_mosaic(maps, maps[0], overwrite=True)
    with pytest.raises(DataError, match="no map is done, so there is nothing to join"):
        make_mosaic([], tmp_path / "all.tif")
