"""A scene from outside reads nothing but itself: no other file, no server, no code."""

import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.errors import CRSError
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

from rsmamba.errors import SceneError
from rsmamba.geo import limits
from rsmamba.geo.crs import parse_crs
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.scene import Scene
from rsmamba.geo.trust import check_vectors, driver_of, remote_access, remote_allowed

MakeRaster = Callable[..., Path]
ONES = np.ones((1, 64, 64), np.uint8)
SOURCE = (
    '<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource>"
)


def _vrt(path: Path, *, name: str = "", relative: int = 0, top: str = "", source: str = "") -> Path:
    source = source or SOURCE.format(name=name, relative=relative)
    path.write_text(
        f'<VRTDataset rasterXSize="64" rasterYSize="64">{top}'
        f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand></VRTDataset>'
    )
    return path


@pytest.fixture
def secret(make_raster: MakeRaster, tmp_path: Path) -> Path:
    """A raster outside the folder of the scenes."""
    (tmp_path / "scenes").mkdir()
    return make_raster(ONES * 77, name="secret.tif")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A socket that would notice any call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _is_called(listener: socket.socket) -> bool:
    return bool(select.select([listener], [], [], 0)[0])


@pytest.mark.parametrize("name", ["scene.vrt", "scene.tif", "scene.png", "scene"])
def test_vrt_of_any_name_stays_in_its_folder(secret: Path, tmp_path: Path, name: str) -> None:
    scene = _vrt(tmp_path / "scenes" / name, name=str(secret))
    with pytest.raises(SceneError, match=r"refers to '/.*secret\.tif', which is not a file in its"):
        Scene.open(scene)
    _vrt(scene, name="../secret.tif", relative=1)
    with pytest.raises(SceneError, match=r"trust it with --allow-remote"):
        Scene.open(scene)
    with remote_access(), Scene.open(scene) as opened:
        assert opened.read(opened.grid.window).values[0, 0, 0] == 77


def test_vrt_of_its_own_folder_is_read(make_raster: MakeRaster, tmp_path: Path) -> None:
    source = make_raster(ONES)
    for scene in (
        _vrt(tmp_path / "a.vrt", name="scene.tif", relative=1),
        _vrt(tmp_path / "b.vrt", name=str(source)),
        _vrt(tmp_path / "c.vrt", name="a.vrt", relative=1),
    ):
        with Scene.open(scene) as opened:
            assert opened.read(opened.grid.window).values.min() == 1


def test_warped_vrt_of_its_own_folder_is_read(make_raster: MakeRaster, tmp_path: Path) -> None:
    transform = from_origin(5e5, 5e6, 1, 1)
    source = make_raster(ONES, crs="EPSG:32632", transform=transform)
    with rasterio.open(source) as dataset, WarpedVRT(dataset, crs="EPSG:32633") as warped:
        rasterio.shutil.copy(warped, tmp_path / "warped.vrt", driver="VRT")
    with Scene.open(tmp_path / "warped.vrt") as opened:
        assert opened.read(opened.grid.window).values.max() == 1


def test_links_are_followed_to_where_they_lead(secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    (folder / "link.tif").symlink_to(secret)
    with pytest.raises(SceneError, match=r"refers to 'link\.tif', which is not a file in its"):
        Scene.open(_vrt(folder / "scene.vrt", name="link.tif", relative=1))
    with Scene.open(folder / "link.tif") as opened:
        assert opened.count == 1


def test_nested_vrt_stays_in_the_folder(secret: Path, tmp_path: Path) -> None:
    _vrt(tmp_path / "scenes" / "inner.dat", name=str(secret))
    with pytest.raises(SceneError, match=r"secret\.tif', which is not a file in its folder"):
        Scene.open(_vrt(tmp_path / "scenes" / "scene.vrt", name="inner.dat", relative=1))


@pytest.mark.parametrize(
    "name", ["/vsicurl/http://{at}/a.tif", "http://{at}/a.tif", "vrt://{at}", "WMS:http://{at}/"]
)
def test_vrt_calls_no_server(server: socket.socket, tmp_path: Path, name: str) -> None:
    at = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(SceneError, match=r"which is not a file in its folder"):
        Scene.open(_vrt(tmp_path / "scene.vrt", name=name.format(at=at)))
    assert not _is_called(server)


@pytest.mark.parametrize(
    ("top", "reason"),
    [
        ("<SRS>http://host/crs</SRS>", r"its CRS 'http://host/crs' is an address or a file"),
        ("<SRS>/etc/passwd</SRS>", r"its CRS '/etc/passwd' is an address or a file"),
        (
            '<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/a</MDI></Metadata>',
            "'overviews'",
        ),
        ("<Group/>", r"an element 'Group'"),
        (
            '<Metadata domain="GEOLOCATION"><MDI key="X_DATASET">/a</MDI></Metadata>',
            "'geolocation'",
        ),
        ("<OpenOptions/>", r"an element 'OpenOptions'"),
        ("<?x <VRTDataset/> ?>", r"CDATA or instructions"),
        ("<SRS", r"no well-formed XML"),
    ],
)
def test_vrt_with_other_powers_is_refused(tmp_path: Path, top: str, reason: str) -> None:
    with pytest.raises(SceneError, match=reason):
        Scene.open(_vrt(tmp_path / "scene.vrt", top=top))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('<SimpleSource SourceFilename="/etc/a"/>', r"an attribute 'SourceFilename'"),
        (
            '<SourceFilename relativeToVRT="2">a</SourceFilename>',
            r"relativeToVRT is '2', not 0 or 1",
        ),
        ("<sourcefilename>/etc/a</sourcefilename>", r"an element 'sourcefilename'"),
        ("<PixelFunctionLanguage>Python</PixelFunctionLanguage>", r"'PixelFunctionLanguage'"),
        ('<Overview subClass="VRTRawRasterBand"/>', r"it has a VRTRawRasterBand"),
        ('<Option name="CUTLINE_DSN">a</Option>', r"the option 'cutline_dsn'"),
    ],
)
def test_sources_of_other_kinds_are_refused(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(SceneError, match=reason):
        Scene.open(_vrt(tmp_path / "scene.vrt", source=source))


def test_wrapped_vrt_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scene.vrt").write_text("<a><VRTDataset/></a>")
    with pytest.raises(SceneError, match=r"its VRT text is inside an element 'a'"):
        Scene.open(tmp_path / "scene.vrt")


def test_source_that_is_no_raster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wms.xml").write_text("<GDAL_WMS><Service/></GDAL_WMS>")
    with pytest.raises(SceneError, match=r"wms\.xml, which belongs to it, is none of GTiff"):
        Scene.open(_vrt(tmp_path / "scene.vrt", name="wms.xml", relative=1))


def test_folder_as_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zarr").mkdir()
    with pytest.raises(SceneError, match=r"source 'zarr' is a folder"):
        Scene.open(_vrt(tmp_path / "scene.vrt", name="zarr", relative=1))


def test_endless_nesting_is_refused(make_raster: MakeRaster, tmp_path: Path) -> None:
    make_raster(ONES)
    for level in range(10):
        inner = f"{level - 1}.vrt" if level else "scene.tif"
        _vrt(tmp_path / f"{level}.vrt", name=inner, relative=1)
    with pytest.raises(SceneError, match=r"nested more than 8 deep"):
        Scene.open(tmp_path / "9.vrt")


@pytest.mark.parametrize(
    ("domain", "key"), [("OVERVIEWS", "OVERVIEW_FILE"), ("ProxyOverviewRequest", "FILENAME")]
)
def test_geotiff_names_no_other_overviews(
    secret: Path, server: socket.socket, tmp_path: Path, domain: str, key: str
) -> None:
    for name in (str(secret), f"/vsicurl/http://127.0.0.1:{server.getsockname()[1]}/a.tif"):
        scene = tmp_path / "scenes" / "scene.tif"
        rasterio.shutil.copy(secret, scene, driver="GTiff")
        with no_georeference_warning(), rasterio.open(scene, "r+") as dataset:
            dataset.update_tags(ns=domain, **{key: name})
        with pytest.raises(SceneError, match=f"metadata of the domain '{domain.lower()}'"):
            Scene.open(scene)
        with pytest.raises(SceneError, match=f"metadata of the domain '{domain.lower()}'"):
            Scene.open(_vrt(tmp_path / "scenes" / "a.vrt", name="scene.tif", relative=1))
    assert not _is_called(server)


def test_sidecars_stay_in_the_folder(make_raster: MakeRaster, secret: Path) -> None:
    scene = make_raster(ONES)
    sidecar = scene.with_name("scene.tif.aux.xml")
    sidecar.write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/a</MDI></Metadata>'
        "</PAMDataset>"
    )
    with pytest.raises(SceneError, match=r"aux\.xml is refused.*domain 'overviews'"):
        Scene.open(scene)
    sidecar.unlink()
    _vrt(scene.with_name("scene.tif.ovr"), name=str(secret.with_name("scenes") / "../../x.tif"))
    with pytest.raises(SceneError, match=r"which is not a file in its folder"):
        Scene.open(scene)


def test_imagine_sidecar_is_refused(make_raster: MakeRaster) -> None:
    scene = make_raster(ONES)
    scene.with_name("scene.aux").write_bytes(b"EHFA_HEADER_TAG\0")
    with pytest.raises(SceneError, match=r"its sidecar scene\.aux is an Imagine file"):
        Scene.open(scene)


@pytest.mark.parametrize("head", ["<GDAL_WMS>", "<WCS_GDAL>", "<GDALTileIndexDataset>", "SQLite 3"])
def test_descriptions_of_services_are_no_scenes(tmp_path: Path, head: str) -> None:
    (tmp_path / "scene.tif").write_text(head)
    with pytest.raises(SceneError, match=r"unknown format.*complete GTiff, VRT.*--allow-remote"):
        Scene.open(tmp_path / "scene.tif")


@pytest.mark.parametrize("path", ["https://host/a.tif", "/vsizip/a.zip/a.tif", "PG:dbname=x"])
def test_addresses_need_trust(path: str) -> None:
    with pytest.raises(SceneError, match=r"is not a plain file; copy it here, .*--allow-remote"):
        Scene.open(path)
    assert not remote_allowed()


def test_text_of_a_vrt_is_no_name(tmp_path: Path) -> None:
    text = _vrt(tmp_path / "a.vrt", name="/etc/a").read_text()
    with pytest.raises(SceneError, match=r"does not exist; check the path"):
        Scene.open(text * 20)


def test_format_is_told_by_content(make_raster: MakeRaster, tmp_path: Path) -> None:
    assert driver_of(make_raster(ONES)) == "GTiff"
    heads = {b"RIFF\0\0\0\0WEBP": "WEBP", b"ncols 3": "AAIGrid", b"\x89PNG\r\n\x1a\n": "PNG"}
    for head, driver in heads.items():
        (tmp_path / "file").write_bytes(head)
        assert driver_of(tmp_path / "file") == driver
    (tmp_path / "file.hdr").write_text("ENVI\n")
    (tmp_path / "file").write_bytes(b"123")
    assert driver_of(tmp_path / "file") == "ENVI"


def test_absurd_sizes_are_refused_with_numbers(tmp_path: Path) -> None:
    band = '<VRTRasterBand dataType="Byte" band="1"/>'
    scene = tmp_path / "scene.vrt"
    scene.write_text(f'<VRTDataset rasterXSize="2000000000" rasterYSize="9999">{band}</VRTDataset>')
    with pytest.raises(SceneError, match=r"2,000,000,000 x 9,999 px, 2\.0e\+13 in all; at most"):
        Scene.open(scene)


def test_absurd_blocks_are_refused_with_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_SHARE_OF_AVAILABLE", 1e-7)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "sparse_ok": True, "tiled": True}
    size = {"height": 8192, "width": 8192, "blockysize": 8192, "blockxsize": 8192}
    with no_georeference_warning(), rasterio.open(tmp_path / "a.tif", "w", **profile, **size):
        pass
    with pytest.raises(SceneError, match=r"takes 64 MiB to read and 0 MiB are .* store it in tile"):
        Scene.open(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["folder", "device"])
def test_folders_and_devices_are_no_scenes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "scene.zarr"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(SceneError, match=f"is a {kind}; give one raster file"):
        Scene.open(path)


def test_names_of_a_crs_fetch_nothing(server: socket.socket) -> None:
    for text in (f"http://127.0.0.1:{server.getsockname()[1]}/crs", "/etc/passwd", "crs.wkt"):
        with pytest.raises(CRSError, match=r"is an address or a file, not a CRS"):
            parse_crs(text)
    assert not _is_called(server)
    assert parse_crs("EPSG:32632").to_epsg() == 32632


@pytest.mark.parametrize("name", ["a.shp", "a.gpkg", "a.kml", "a.parquet", "a.vrt"])
def test_vectors_are_what_they_are_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<OGRVRTDataSource><kml/></OGRVRTDataSource>")
    with pytest.raises(SceneError, match=r"is not what its name says; give one of \.gpkg"):
        check_vectors(tmp_path / name)
    with remote_access():
        check_vectors(tmp_path / name)


def test_too_many_bands_are_refused(
    make_raster: MakeRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_BANDS", 2)
    with pytest.raises(SceneError, match=r"claims 3 bands; at most 2 are read"):
        Scene.open(make_raster(np.ones((3, 4, 4), np.uint8)))


def test_imagine_files_are_read_only_if_trusted(make_raster: MakeRaster) -> None:
    scene = make_raster(np.ones((1, 8, 8), np.uint8), name="scene.img", driver="HFA")
    message = r"scene.img is an Erdas Imagine file, a format .* if it is trusted; convert it to Geo"
    with pytest.raises(SceneError, match=message):
        Scene.open(scene)
    with remote_access(), Scene.open(scene) as opened:
        assert opened.driver == "HFA"


def test_envi_files_may_be_called_img(make_raster: MakeRaster) -> None:
    scene = make_raster(np.ones((1, 8, 8), np.uint8), name="scene.img", driver="ENVI")
    with Scene.open(scene) as opened:
        assert opened.driver == "ENVI"
