"""Predictions that drop tokens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from rsmamba import SceneModel, create_model, predict
from rsmamba.errors import OptionError
from rsmamba.models import describe_architecture
from rsmamba.prediction import plan

ENCODER = {"embed_dims": 16, "num_layers": 4, "out_indices": (0, 3)}


@pytest.fixture
def model() -> SceneModel:
    """A model of three classes whose encoder can drop tokens."""
    torch.manual_seed(0)
    name: str = "plainmamba_l1+light"
    options: dict[str, Any] = {"encoder": ENCODER}
    return SceneModel(
        create_model(name, num_classes=3, **options),
        classes=("a", "b", "c"),
        in_channels=3,
        mean=(128.0,) * 3,
        std=(50.0,) * 3,
        architecture=describe_architecture(name, **options),
    )


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene of one tile and a bit."""
    path = tmp_path / "scene.tif"
    pixels = np.random.default_rng(1).integers(0, 255, (3, 80, 96), dtype=np.uint8)
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "uint8", "crs": "EPSG:32640"}
    transform = rasterio.Affine(0.5, 0, 330000, 0, -0.5, 2790000)
    with rasterio.open(
        path, "w", height=80, width=96, count=3, transform=transform, **profile
    ) as file:
        file.write(pixels)
    return path


def classes_of(path: Path) -> Any:  # noqa: ANN401 - an array
    """Read a class map."""
    with rasterio.open(path) as file:
        return file.read(1)


def test_a_pruned_map_is_that_of_the_pruned_model(
    model: SceneModel, scene: Path, tmp_path: Path
) -> None:
    before = model.fingerprint()
    options: dict[str, Any] = {"model": model, "tile": 64, "overlap": 16, "device": "cpu"}
    dense = predict(scene, tmp_path / "dense.tif", **options)
    same = predict(scene, tmp_path / "same.tif", prune=1, **options)
    pruned = predict(scene, tmp_path / "pruned.tif", prune=0.4, **options)
    maps = [classes_of(result.out) for result in (dense, same, pruned)]
    assert (maps[0] == maps[1]).all()
    assert (maps[0] != maps[2]).any()
    assert dense.pruning is None
    assert pruned.pruning == "keeps 0.4 of the tokens after layers 1, 2, 3"
    assert pruned.model_hash != dense.model_hash
    assert model.fingerprint() == before


def test_a_share_of_work_is_turned_into_a_ratio(
    model: SceneModel, scene: Path, tmp_path: Path
) -> None:
    made = predict(scene, tmp_path / "map.tif", model=model, device="cpu", prune_flops=0.002)
    assert made.pruning is not None
    assert 0 < float(made.pruning.split()[1]) < 1


def test_a_plan_checks_the_pruning(model: SceneModel, scene: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": model, "device": "cpu", "tile": 64, "overlap": 16}
    planned = plan(scene, tmp_path / "map.tif", prune=0.5, **options)
    assert planned.seconds > 0
    assert planned.pruning == "keep ratio 0.5"
    planned = plan(scene, tmp_path / "map.tif", prune_flops=0.002, **options)
    assert planned.pruning == "as many tokens as save 0.002 of the encoder's multiply-adds"
    assert plan(scene, tmp_path / "map.tif", **options).pruning is None
    with pytest.raises(OptionError, match="pruning cannot save 99"):
        plan(scene, tmp_path / "map.tif", prune_flops=0.99, **options)


def test_the_model_comes_back_though_a_prediction_failed(
    model: SceneModel, scene: Path, tmp_path: Path
) -> None:
    before = model.fingerprint()
    with pytest.raises(OptionError, match="keep ratio is 2"):
        predict(scene, tmp_path / "map.tif", model=model, prune=2, device="cpu")
    with pytest.raises(OptionError, match="pruning cannot save 99"):
        predict(scene, tmp_path / "map.tif", model=model, prune_flops=0.99, device="cpu")
    assert model.fingerprint() == before
