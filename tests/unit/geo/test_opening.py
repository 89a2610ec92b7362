"""Every way in which a scene cannot be read is one line."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

from rsmamba.errors import BandError, SceneError
from rsmamba.geo.environment import first_cause, is_local, no_georeference_warning
from rsmamba.geo.scene import Scene
from rsmamba.geo.trust import remote_access

MakeRaster = Callable[..., Path]
NOISE = np.random.default_rng(0).integers(0, 255, (3, 300, 300), dtype=np.uint8)


def _read(path: Path | str) -> None:
    with Scene.open(path) as scene:
        scene.read(scene.grid.window)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"nowhere\.tif does not exist; check the path"):
        _read(tmp_path / "nowhere.tif")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"is a folder; give one raster file"):
        _read(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    with pytest.raises(SceneError, match=r"empty\.tif is an empty file; copy it again"):
        _read(tmp_path / "empty.tif")


def test_no_raster(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a raster\n")
    with pytest.raises(SceneError, match=r"notes\.txt is not a raster that GDAL can read"):
        _read(tmp_path / "notes.txt")


def test_unreachable_address() -> None:
    with (
        remote_access(),
        pytest.raises(SceneError, match=r"cannot be opened: .*; check the address and access"),
    ):
        _read("/vsizip//nowhere.zip/scene.tif")


@pytest.mark.parametrize("kept", [300, 4_000, 150_000])
def test_truncated_file(make_raster: MakeRaster, kept: int) -> None:
    path = make_raster(NOISE, compress="deflate", tiled=True)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SceneError, match=r"scene\.tif") as caught:
        _read(path)
    assert "\n" not in str(caught.value)


def test_damaged_block_names_the_place(make_raster: MakeRaster) -> None:
    path = make_raster(NOISE, compress="lzw", tiled=True)
    content = bytearray(path.read_bytes())
    content[60_000:120_000] = bytes(60_000)
    path.write_bytes(content)
    place = r"cannot read rows 0 to 299, columns 0 to 299 of .*damaged, incomplete or missing"
    with pytest.raises(SceneError, match=place):
        _read(path)


def test_source_that_a_vrt_has_lost(make_raster: MakeRaster, tmp_path: Path) -> None:
    source = make_raster(NOISE)
    vrt = tmp_path / "scene.vrt"
    import rasterio.shutil

    from rsmamba.geo.environment import no_georeference_warning

    with no_georeference_warning():
        rasterio.shutil.copy(source, vrt, driver="VRT")
    source.unlink()
    with pytest.raises(SceneError, match=r"scene\.tif: No such file"):
        _read(vrt)


def test_complex_numbers(make_raster: MakeRaster) -> None:
    path = make_raster(np.ones((1, 4, 4), np.complex64))
    with pytest.raises(SceneError, match=r"holds complex numbers .complex64.; give real ones"):
        _read(path)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["NETCDF:cube:red", "NETCDF:cube:nir"], "several rasters; give one of them: NETCDF:cube:"),
        ([], "has no bands; give a raster with at least one"),
    ],
)
def test_files_without_bands(
    make_raster: MakeRaster, monkeypatch: pytest.MonkeyPatch, parts: list[str], text: str
) -> None:
    path = make_raster(NOISE)
    hollow = SimpleNamespace(count=0, subdatasets=parts, close=lambda: None)
    monkeypatch.setattr("rasterio.open", lambda *_, **__: hollow)
    with pytest.raises(SceneError, match=text):
        _read(path)


def test_too_few_bands_close_the_file_again(make_raster: MakeRaster) -> None:
    with pytest.raises(BandError, match=r"scene\.tif has 3 bands"):
        Scene.open(make_raster(NOISE), num_bands=4)


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("scene.tif", True),
        ("C:\\scene.tif", True),
        ("/vsicurl/https://host/scene.tif", False),
        ("s3://bucket/scene.tif", False),
        ("NETCDF:scene.nc:band", False),
    ],
)
def test_local_paths_are_told_from_addresses(path: str, local: bool) -> None:
    assert is_local(path) is local


def test_first_cause_is_one_line() -> None:
    error = RuntimeError("see previous")
    error.__cause__ = ValueError("root\n  of it.")
    assert first_cause(error) == "root of it"
    assert first_cause(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_metadata_that_is_no_text(make_raster: MakeRaster) -> None:
    path = make_raster(NOISE)
    with no_georeference_warning(), rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="PLAINNAME", a="b")
    path.write_bytes(path.read_bytes().replace(b"PLAINNAME", b"\xc9LAIN\xc9AME"))
    with pytest.raises(SceneError, match=r"has metadata that is no UTF-8 text; copy it again"):
        _read(path)


def test_a_name_that_gdal_cannot_spell_is_told(tmp_path: Path) -> None:
    scene = tmp_path / os.fsdecode(b"a\xff.tif")
    scene.write_bytes(b"II*\0")
    with pytest.raises(SceneError, match="has a name that is no UTF-8 text, which GDAL needs; re"):
        Scene.open(scene)
