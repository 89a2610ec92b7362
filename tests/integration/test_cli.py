"""The command line as a user meets it: results, one-line errors, exit status."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from rsmamba.cli.app import run
from rsmamba.geo.scene import Scene

ONE_LINE = re.compile(r"\Arsmamba: error: [^\n]+\n\Z")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A small RGB scene with a nodata corner."""
    path = tmp_path / "scene.tif"
    pixels = np.random.default_rng(0).integers(1, 255, (3, 70, 90), dtype=np.uint8)
    pixels[:, :10, :20] = 0
    profile = {"driver": "GTiff", "height": 70, "width": 90, "count": 3, "dtype": "uint8"}
    grid = {"crs": "EPSG:32640", "transform": from_origin(330000, 2790000, 0.5, 0.5)}
    with rasterio.open(path, "w", nodata=0, **profile, **grid) as file:
        file.write(pixels)
    return path


def predict(scene: Path | str, out: Path, *words: str) -> int:
    """Run the predict command without its bar."""
    return run(["predict", str(scene), "--out", str(out), "--device", "cpu", *words])


def listing(folder: Path) -> set[str]:
    """Return every file and folder below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_predict_writes_a_map_on_the_scenes_grid(scene: Path, tmp_path: Path) -> None:
    """With the bundled model, offline."""
    out = tmp_path / "map.tif"
    assert predict(scene, out) == 0
    with rasterio.open(scene) as given, rasterio.open(out) as made:
        assert (made.crs, made.transform, made.shape) == (given.crs, given.transform, given.shape)
        classes = made.read(1)
    assert (made.nodata, made.dtypes, made.count) == (255, ("uint8",), 1)
    assert (classes[:10, :20] == 255).all()
    assert (np.delete(classes.ravel(), np.flatnonzero(classes == 255)) < 5).all()
    assert (classes == 255).sum() == 200


def test_every_extra_output_is_written(scene: Path, tmp_path: Path) -> None:
    """Probabilities, confidence and quick-look beside the map."""
    names = {"map.tif", "probabilities.tif", "confidence.tif", "look.png"}
    options = ["--probabilities", str(tmp_path / "probabilities.tif")]
    options += ["--confidence", str(tmp_path / "confidence.tif")]
    options += ["--quicklook", str(tmp_path / "look.png"), "--prob-dtype", "float32"]
    assert predict(scene, tmp_path / "map.tif", *options) == 0
    assert names <= listing(tmp_path)
    with rasterio.open(tmp_path / "probabilities.tif") as file:
        scores = file.read()
        assert file.descriptions == ("building", "land", "road", "vegetation", "water")
    with rasterio.open(tmp_path / "map.tif") as file:
        classes = file.read(1)
    valid = classes != 255
    assert np.isnan(scores[:, ~valid]).all()
    np.testing.assert_allclose(scores[:, valid].sum(axis=0), 1, atol=1e-5)
    assert (scores.argmax(axis=0)[valid] == classes[valid]).all()


def test_json_summary_is_the_only_output(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that another program can read it."""
    assert predict(scene, tmp_path / "map.tif", "--json") == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert summary["masked_pixels"] == 200
    assert sum(summary["class_pixels"].values()) == 70 * 90 - 200
    assert printed.err == ""


def test_quiet_prints_nothing(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither on stdout nor on stderr."""
    assert predict(scene, tmp_path / "map.tif", "-q") == 0
    assert capsys.readouterr() == ("", "")


def test_dry_run_writes_nothing(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what would be done."""
    before = listing(tmp_path)
    assert predict(scene, tmp_path / "map.tif", "--dry-run") == 0
    assert listing(tmp_path) == before
    assert "tiles" in capsys.readouterr().out


@pytest.mark.parametrize("size", [50_000])
def test_dry_run_of_a_huge_scene_reads_little(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A virtual raster of 2.5 gigapixels; nothing of its size is made."""
    vrt = tmp_path / "huge.vrt"
    bands = "".join(f'<VRTRasterBand dataType="Byte" band="{band}"/>' for band in (1, 2, 3))
    vrt.write_text(f'<VRTDataset rasterXSize="{size}" rasterYSize="{size}">{bands}</VRTDataset>')
    assert predict(vrt, tmp_path / "map.tif", "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["tiles"] == 112 * 112
    assert plan["memory_bytes"] < 8 * 1024**3


def test_window_and_bounds_give_the_same_part(scene: Path, tmp_path: Path) -> None:
    """In pixels and in map coordinates."""
    assert predict(scene, tmp_path / "w.tif", "--window", "10,20,40,30") == 0
    bounds = "330005,2789975,330025,2789990"
    assert predict(scene, tmp_path / "b.tif", "--bounds", bounds) == 0
    with rasterio.open(tmp_path / "w.tif") as first, rasterio.open(tmp_path / "b.tif") as second:
        assert first.transform == second.transform == from_origin(330005, 2789990, 0.5, 0.5)
        assert first.shape == (30, 40)
        np.testing.assert_array_equal(first.read(), second.read())


def broken(tmp_path: Path, scene: Path, kind: str) -> Path:
    """Make a bad input."""
    path = tmp_path / "bad.tif"
    if kind == "text":
        path.write_text("not a raster")
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(scene.read_bytes()[:9000])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["missing", "text", "empty", "truncated", "folder"])
def test_bad_scene_is_one_line_and_leaves_nothing(
    kind: str, scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1; the line names the file."""
    path = broken(tmp_path, scene, kind)
    before = listing(tmp_path)
    assert predict(path, tmp_path / "map.tif") == 1
    error = capsys.readouterr().err
    assert ONE_LINE.match(error)
    assert "bad.tif" in error
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bidx", "9"], "band"),
        (["--bidx", "1,2,9"], "9"),
        (["--bidx", "0,1,2"], "0"),
        (["--bidx", "1,2"], "3"),
        (["--bidx", "red"], "write it like 4,3,2"),
        (["--tile", "64", "--overlap", "64"], "overlap"),
        (["--tile", "-5"], "tile"),
        (["--overlap", "-1"], "overlap"),
        (["--margin", "-1"], "margin"),
        (["--batch-size", "0"], "batch"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--device", "abacus"], "abacus"),
        (["--mem-limit", "lots"], "write it like 2GB"),
        (["--tta", "some"], "flips"),
        (["--window", "1,2,3"], "COL,ROW,WIDTH,HEIGHT"),
        (["--window", "0,0,0,10"], "window"),
        (["--window", "500,500,10,10"], "window"),
        (["--bounds", "0,0,1,1"], "bounds"),
        (["--co", "COMPRESS"], "NAME=VALUE"),
        (["--co", "SQUASH=1"], "SQUASH"),
        (["--format", "PNG"], "COG"),
        (["--prob-dtype", "int3"], "float32"),
        (["--stretch", "wide"], "stretch"),
        (["--nonsense"], "No such option"),
    ],
)
def test_bad_option_is_one_line_and_leaves_nothing(
    words: list[str],
    message: str,
    scene: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 2, before anything is written."""
    before = listing(tmp_path)
    assert predict(scene, tmp_path / "map.tif", *words) == 2
    error = capsys.readouterr().err
    assert ONE_LINE.match(error)
    assert message in error
    assert listing(tmp_path) == before


@pytest.mark.parametrize("kind", ["corrupt", "pickle", "missing"])
def test_bad_model_is_one_line(
    kind: str, scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is loaded from a pickle."""
    model = tmp_path / "model.safetensors"
    if kind != "missing":
        model.write_bytes(b"\x80\x04garbage" if kind == "pickle" else b"garbage" * 100)
    before = listing(tmp_path)
    assert predict(scene, tmp_path / "map.tif", "--model", str(model)) == 1
    error = capsys.readouterr().err
    assert ONE_LINE.match(error)
    assert "model.safetensors" in error
    assert listing(tmp_path) == before


def test_existing_output_is_kept(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until --overwrite says otherwise."""
    out = tmp_path / "map.tif"
    out.write_text("precious")
    assert predict(scene, out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert predict(scene, out, "--overwrite") == 0
    with Scene.open(out) as made:
        assert (made.grid.height, made.grid.width) == (70, 90)


def test_scene_cannot_be_its_own_output(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even with --overwrite."""
    before = scene.read_bytes()
    assert predict(scene, scene, "--overwrite") in {1, 2}
    assert ONE_LINE.match(capsys.readouterr().err)
    assert scene.read_bytes() == before


def test_absent_output_folder_is_named(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not made up."""
    assert predict(scene, tmp_path / "absent" / "map.tif") in {1, 2}
    error = capsys.readouterr().err
    assert ONE_LINE.match(error)
    assert "absent" in error


def test_info_describes_a_scene(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Grid, bands, validity and what predict would do."""
    assert run(["info", str(scene)]) == 0
    text = capsys.readouterr().out
    for word in ("90 x 70", "EPSG:32640", "uint8", "96.8%", "tiles"):
        assert word in text


def test_info_speaks_json(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts for programs."""
    assert run(["info", str(scene), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["width"] == 90
    assert facts["valid_share"] == pytest.approx(1 - 200 / 6300)


def test_info_lists_backends_with_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """Each operator, each backend, available or why not."""
    assert run(["info", "--backends"]) == 0
    text = capsys.readouterr().out
    assert "selective_scan" in text
    assert "numba" in text


def test_info_needs_something_to_tell(capsys: pytest.CaptureFixture[str]) -> None:
    """A scene or --backends."""
    assert run(["info"]) == 2
    assert ONE_LINE.match(capsys.readouterr().err)


def test_version_and_help_are_results(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, with exit status 0."""
    assert run(["--version"]) == 0
    assert run(["predict", "-h"]) == 0
    printed = capsys.readouterr()
    assert "--overlap" in printed.out
    assert printed.err == ""


def test_traceback_is_shown_on_request(scene: Path, tmp_path: Path) -> None:
    """The error comes through."""
    from rsmamba.errors import BandError

    with pytest.raises(BandError):
        predict(scene, tmp_path / "map.tif", "--bidx", "9,9,9", "--traceback")


def test_sample_scenes_are_predicted(sample_data: Path, tmp_path: Path) -> None:
    """Both, the 16-bit one by its first three bands."""
    for name in ("town_rgb.tif", "town_4band_uint16.tif"):
        copy = tmp_path / name
        shutil.copy(sample_data / name, copy)
        assert predict(copy, tmp_path / f"map_{name}", "--window", "100,100,256,256") == 0


def test_sources_of_a_virtual_raster_are_kept(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even with --overwrite: they are inputs too."""
    before = scene.read_bytes()
    vrt = tmp_path / "scene.vrt"
    with rasterio.open(scene) as file:
        rasterio.shutil.copy(file, vrt, driver="VRT")
    assert predict(vrt, scene, "--overwrite") in {1, 2}
    assert "is also an input" in capsys.readouterr().err
    assert scene.read_bytes() == before


def test_remarks_of_gdal_are_not_shown(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with broken tags still ends in one line."""
    path = shared_data / "awkward" / "gdal-autotest2" / "corrupted_gtiff_tags.tif"
    assert predict(path, tmp_path / "map.tif") in {1, 2}
    assert ONE_LINE.match(capsys.readouterr().err)


def test_a_model_that_cannot_drop_tokens_is_refused_in_one_line(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(scene, tmp_path / "map.tif", "--prune", "0.6") == 2
    told = capsys.readouterr().err
    assert ONE_LINE.match(told)
    assert "cannot drop tokens; encoders of groupmamba, plainmamba, vim, vmamba, vssd can" in told
    assert predict(scene, tmp_path / "map.tif", "--prune", "0.6", "--prune-flops", "0.2") == 2
    assert "give one of them" in capsys.readouterr().err
