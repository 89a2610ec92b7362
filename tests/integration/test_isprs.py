"""From the shell: make a look-alike, check it, train on it, predict a test tile with the model."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmamba.classes import ISPRS_CLASSES
from rsmamba.cli.app import run

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "train"
TINY = [
    "model.options={dim: 8, d_state: 1, block: vss, fusion: add}",
    "data.chip=32",
    "data.chips_per_epoch=2",
    "trainer.batch_size=2",
    "trainer.epochs=1",
    "trainer.threads=1",
    "trainer.device=cpu",
    "trainer.loggers={}",
    "trainer.validation_tile=64",
    "trainer.validation_overlap=0",
]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands say how much is logged; the next test shall not know."""
    import logging

    root, package = logging.getLogger(), logging.getLogger("rsmamba")
    handlers, level = root.handlers[:], package.level
    yield
    root.handlers[:] = handlers
    package.setLevel(level)


@pytest.mark.parametrize(
    ("dataset", "image"),
    [
        ("vaihingen", "top/top_mosaic_09cm_area2.tif"),
        ("potsdam", "2_Ortho_RGB/top_potsdam_2_13_RGB.tif"),
    ],
)
def test_a_lookalike_is_checked_trained_on_and_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dataset: str, image: str
) -> None:
    root, run_dir, out = tmp_path / "data", tmp_path / "run", tmp_path / "map.tif"
    words = ["--dataset", dataset, "--size", "64", "--tiles", "4", "--json"]
    assert run(["data", "make-isprs", str(root), *words]) == 0
    assert len(json.loads(capsys.readouterr().out)["tiles"]) == 4
    assert run(["data", "isprs", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    changes = [*TINY, f"data.root={root}", f"trainer.run_dir={run_dir}"]
    words = [word for change in changes for word in ("--set", change)]
    config = CONFIGS / f"cvmh_unet_{dataset}.yaml"
    assert run(["train", str(config), *words, "--json", "--quiet"]) == 0
    model = json.loads(capsys.readouterr().out)["best_model"]
    assert run(["predict", str(root / image), "--model", model, "--out", str(out), "-q"]) == 0
    with rasterio.open(out) as classes, rasterio.open(root / image) as scene:
        assert (classes.height, classes.width) == (scene.height, scene.width)
        assert classes.transform == scene.transform
        assert set(np.unique(classes.read(1))) <= {*range(ISPRS_CLASSES.num_classes)}
        assert classes.colormap(1)[1][:3] == (0, 0, 255)


def test_heights_are_a_band_from_the_folder_to_the_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Image and nDSM: trained on together, predicted in one command, and evaluated."""
    root, run_dir, out = tmp_path / "v", tmp_path / "run", tmp_path / "map.tif"
    words = ["--dataset", "vaihingen", "--size", "64", "--tiles", "4", "-q"]
    assert run(["data", "make-isprs", str(root), *words]) == 0
    changes = [*TINY, "data.ndsm=true", f"data.root={root}", f"trainer.run_dir={run_dir}"]
    words = [word for change in changes for word in ("--set", change)]
    assert run(["train", str(CONFIGS / "cvmh_unet_vaihingen.yaml"), *words, "-q"]) == 0
    image = root / "top/top_mosaic_09cm_area2.tif"
    (heights,) = (root / "ndsm").glob("*area2*")
    command = ["predict", str(image), "--model", str(run_dir / "best.safetensors")]
    assert run([*command, "--out", str(out), "-q"]) == 2
    assert "4" in capsys.readouterr().err
    assert run([*command, "--extra-bands", str(heights), "--out", str(out), "-q"]) == 0
    (labels,) = (root / "gts_for_participants").glob("*area2.tif")
    page = tmp_path / "report.html"
    words = ["--protocol", "all-classes", "--labels", "colour", "--report", str(page), "--json"]
    assert run(["evaluate", str(out), str(labels), *words]) == 0
    assert json.loads(capsys.readouterr().out)["pixels"]["counted"] == 64 * 96
    assert page.stat().st_size > 10_000


def test_a_model_is_evaluated_on_the_test_tiles_of_its_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, run_dir = tmp_path / "v", tmp_path / "run"
    words = ["--dataset", "vaihingen", "--size", "64", "--tiles", "4", "-q"]
    assert run(["data", "make-isprs", str(root), *words]) == 0
    changes = [*TINY, "data.ndsm=true", f"data.root={root}", f"trainer.run_dir={run_dir}"]
    words = [word for change in changes for word in ("--set", change)]
    assert run(["train", str(CONFIGS / "cvmh_unet_vaihingen.yaml"), *words, "-q"]) == 0
    model, config = str(run_dir / "best.safetensors"), str(run_dir / "config.json")
    words = ["--protocol", "ssrs", "--json", "-q"]
    assert run(["evaluate", model, config, *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [scene["name"][-6:] for scene in report["scenes"]] == ["_area5", "area30"]
    assert report["stamp"]["test tiles"].startswith("2 of 4 test tiles of ssrs on vaihingen")
    assert run(["evaluate", model, config, "--warp"]) == 2
    assert "--warp is for maps; the configuration of a model's data" in capsys.readouterr().err
    assert run(["evaluate", model, "labels.tif"]) == 2
    assert "labels.tif is given as the configuration of its data" in capsys.readouterr().err
    assert run(["evaluate", "map.tif", "labels.tif", "--split", "train"]) == 2
    assert "--split is for a model and the configuration" in capsys.readouterr().err


def test_faults_are_lines_on_stderr_and_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "v"
    words = ["--dataset", "vaihingen", "--size", "48", "--tiles", "2", "-q"]
    assert run(["data", "make-isprs", str(root), *words]) == 0
    (root / "top/top_mosaic_09cm_area1.tif").unlink()
    with rasterio.open(root / "gts_for_participants/top_mosaic_09cm_area30.tif", "r+") as file:
        file.write(np.full((3, 1, 1), 77, np.uint8), window=((3, 4), (4, 5)))
    assert run(["data", "isprs", str(root)]) == 1
    output = capsys.readouterr()
    first, second = output.err.splitlines()
    assert "area30.tif has 1 pixels in 1 colours" in first
    assert first.endswith("the first (77, 77, 77) at row 3, col 4")
    assert second == "rsmamba: error: tile 1 has no image"
    assert "2 tiles in" in output.out
    assert "2 faults, see above" in output.out
    assert run(["data", "isprs", str(root), "--unknown", "ignore", "-q"]) == 1


def test_what_is_not_the_benchmark_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "isprs", str(tmp_path / "nowhere")]) == 1
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert run(["data", "make-isprs", str(tmp_path), "--dataset", "potsdam", "--size", "9"]) == 2
    assert "size is 9 and tiles 4; give a size of 48 or more" in capsys.readouterr().err
