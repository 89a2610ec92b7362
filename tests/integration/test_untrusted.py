"""Scenes and model files from outside, as the commands meet them."""

import re
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from rsmamba.cli import console
from rsmamba.cli.app import run

ONE_LINE = re.compile(r"\Arsmamba: error: [^\n]+\n\Z")
REFUSED = (
    "which is not a file in its folder; convert it to GeoTIFF, or trust it with --allow-remote"
)


def _write(path: Path, bands: int = 3) -> Path:
    path.parent.mkdir(exist_ok=True)
    values = np.random.default_rng(0).integers(0, 2, (bands, 40, 40), dtype=np.uint8)
    profile = {"driver": "GTiff", "height": 40, "width": 40, "count": bands, "dtype": "uint8"}
    grid = {"crs": "EPSG:32640", "transform": from_origin(330000, 2790000, 0.5, 0.5)}
    with rasterio.open(path, "w", **profile, **grid) as file:
        file.write(values)
    return path


def _vrt(path: Path, source: str, *, bands: int = 3) -> Path:
    path.parent.mkdir(exist_ok=True)
    text = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>{band}</SourceBand>"
        "</SimpleSource></VRTRasterBand>"
        for band in range(1, bands + 1)
    )
    grid = "<SRS>EPSG:32640</SRS><GeoTransform>330000,0.5,0,2790000,0,-0.5</GeoTransform>"
    path.write_text(f'<VRTDataset rasterXSize="40" rasterYSize="40">{grid}{text}</VRTDataset>')
    return path


@pytest.fixture
def vrt(tmp_path: Path) -> Path:
    """A VRT of a raster in another folder."""
    return _vrt(tmp_path / "scenes" / "scene.vrt", str(_write(tmp_path / "private" / "a.tif")))


def _stderr(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_predict_needs_trust(vrt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "map.tif"
    words = ["predict", str(vrt), "--out", str(out), "--device", "cpu", "-q"]
    assert run(words) == 1
    assert ONE_LINE.match(message := _stderr(capsys))
    assert REFUSED in message
    assert not out.exists()
    assert run([*words, "--allow-remote"]) == 0
    assert out.exists()


def test_a_plan_needs_trust(vrt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", str(vrt), "-o", str(tmp_path / "a.tif"), "--dry-run", "--device", "cpu"]
    assert run(words) == 1
    assert REFUSED in _stderr(capsys)
    assert run([*words, "--allow-remote"]) == 0


def test_extra_bands_need_trust(
    vrt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = _write(tmp_path / "scenes" / "scene.tif")
    words = ["--extra-bands", str(vrt), "--bidx", "1", "--dry-run", "--device", "cpu"]
    assert run(["predict", str(scene), "--out", str(tmp_path / "a.tif"), *words]) == 1
    assert REFUSED in _stderr(capsys)


def test_info_needs_trust(vrt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(vrt)]) == 1
    assert REFUSED in _stderr(capsys)
    assert run(["info", str(vrt), "--allow-remote"]) == 0


def test_evaluate_needs_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = _write(tmp_path / "private" / "labels.tif", bands=1)
    vrt = _vrt(tmp_path / "scenes" / "labels.vrt", str(labels), bands=1)
    for words in ([str(vrt), str(labels)], [str(labels), str(vrt)]):
        assert run(["evaluate", *words]) == 1
        assert REFUSED in _stderr(capsys)
        assert run(["evaluate", *words, "--allow-remote"]) == 0


def test_batch_needs_trust(vrt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "scenes.csv"
    table.write_text(f"scene,allow_remote\n{vrt},yes\n")
    out = tmp_path / "maps"
    assert run(["batch", str(vrt), "--out", str(out), "--device", "cpu"]) == 1
    assert REFUSED in capsys.readouterr().out
    assert run(["batch", str(table), "--out", str(out), "--device", "cpu"]) == 1
    assert "column 'allow_remote' of the table is not an option" in capsys.readouterr().out
    assert run(["batch", str(vrt), "--out", str(out), "--device", "cpu", "--allow-remote"]) == 0


@pytest.mark.usefixtures("vrt")
def test_training_needs_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("scene", "test"):
        _write(tmp_path / "masks" / f"{name}.tif", bands=1)
    _write(tmp_path / "scenes" / "test.tif")
    config = tmp_path / "train.yaml"
    config.write_text(
        f"data: {{root: {tmp_path}, images: scenes, masks: masks, train: ['s*'], chip: 32, "
        "validation: ['t*'], classes: {names: [a, b], colours: [[1, 2, 3], [4, 5, 6]]}}\n"
        f"model: {{name: cvmh_unet_small}}\ntrainer: {{run_dir: {tmp_path / 'run'}}}\n"
    )
    assert run(["train", str(config), "--dry-run", "-q"]) == 1
    assert REFUSED in _stderr(capsys)


def test_no_command_calls_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.01)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.tif"
        for scene in (address, f"/vsicurl/{address}", str(_vrt(tmp_path / "a.vrt", address))):
            assert run(["info", scene]) == 1
            assert "--allow-remote" in _stderr(capsys)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_names_command_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(tmp_path / "\x1b[2Ja.tif")]) == 1
    assert "?[2Ja.tif does not exist" in _stderr(capsys)


def test_only_unreadable_remarks_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Any] = []
    before = sys.unraisablehook
    sys.unraisablehook = told.append
    try:
        with console.unreadable_remarks_dropped():
            for error in (UnicodeDecodeError("utf-8", b"", 0, 1, ""), KeyError("a")):
                sys.unraisablehook(SimpleNamespace(exc_value=error))
                sys.excepthook(type(error), error, None)
    finally:
        sys.unraisablehook = before
    assert [type(given.exc_value) for given in told] == [KeyError]
    assert _stderr(capsys) == "KeyError: 'a'\n"
