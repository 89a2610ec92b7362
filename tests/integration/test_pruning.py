"""Token pruning from the command line: calibrate a model, then let each tile decide."""

import json
from pathlib import Path
from typing import Any

import pytest
import rasterio
import torch

from rsmamba import SceneModel, create_model, save_model
from rsmamba.cli.app import run
from rsmamba.models import describe_architecture


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The file of a tiny model whose encoder can drop tokens."""
    torch.manual_seed(0)
    name: str = "plainmamba_l1+light"
    encoder = {"embed_dims": 16, "num_layers": 4, "out_indices": (0, 3)}
    options: dict[str, Any] = {"encoder": encoder}
    made = SceneModel(
        create_model(name, num_classes=3, **options),
        classes=("a", "b", "c"),
        in_channels=3,
        mean=(128.0,) * 3,
        std=(50.0,) * 3,
        architecture=describe_architecture(name, **options),
    )
    return save_model(made, tmp_path / "model.safetensors")


def calibrate(model: Path, scene: Path, out: Path, *words: str) -> int:
    """Run the command that calibrates."""
    command = ["models", "calibrate-pruning", str(model), str(scene), "--out", str(out)]
    return run([*command, "--tile", "64", "--tiles", "4", "--device", "cpu", *words])


def predict(scene: Path, out: Path, model: Path, *words: str) -> int:
    """Run the command that predicts a part of a scene."""
    command = ["predict", str(scene), "--out", str(out), "--model", str(model), "--device", "cpu"]
    part = ["--window", "0,0,128,64", "--tile", "64", "--overlap", "0"]
    return run([*command, *part, "--prune", "auto", *words])


def classes_of(path: Path) -> Any:  # noqa: ANN401 - an array
    """Read a class map."""
    with rasterio.open(path) as file:
        return file.read(1)


def test_a_calibrated_model_decides_tile_by_tile(
    model: Path, sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, calibrated = sample_data / "town_rgb.tif", tmp_path / "calibrated.safetensors"
    assert calibrate(model, scene, calibrated, "--agreement", "0.9", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reached"] >= 0.9
    assert len(found["ratios"]) == len(found["limits"]) + 1
    assert predict(scene, tmp_path / "map.tif", calibrated, "--dry-run") == 0
    assert "auto: a keep ratio for each tile by its content" in capsys.readouterr().out
    assert predict(scene, tmp_path / "map.tif", calibrated, "--json") == 0
    assert json.loads(capsys.readouterr().out)["pruning"].startswith("auto: keep ratio ")
    assert classes_of(tmp_path / "map.tif").shape == (64, 128)


def test_a_model_without_levels_is_refused_in_one_line(
    model: Path, sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ((), ("--dry-run",)):
        assert predict(sample_data / "town_rgb.tif", tmp_path / "map.tif", model, *words) == 2
        told = capsys.readouterr().err
        assert told.startswith("rsmamba: error: model ")
        assert "has no pruning levels; make them from a few scenes" in told
        assert told.count("\n") == 1
    assert not (tmp_path / "map.tif").exists()


def test_a_calibration_keeps_what_is_there(
    model: Path, sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = model.read_bytes()
    assert calibrate(model, sample_data / "town_rgb.tif", model) == 2
    assert "exists; give another --out, or --overwrite" in capsys.readouterr().err
    assert calibrate(model, tmp_path / "none.tif", tmp_path / "new.safetensors") != 0
    assert "none.tif" in capsys.readouterr().err
    assert model.read_bytes() == before
