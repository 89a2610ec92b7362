"""Keep ratios by the content of tiles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from rsmamba import SceneModel, create_model, load_model, predict, save_model
from rsmamba.errors import OptionError
from rsmamba.models import describe_architecture
from rsmamba.models.pruning.levels import PruningLevels, tile_content
from rsmamba.models.pruning.setting import pruning_of
from rsmamba.prediction.calibration import RATIOS, Trial, calibrate_pruning, choose_levels

CALIBRATED: dict[str, Any] = {"agreement": 0.9, "reached": 0.95, "tile": 64, "num_tiles": 4}


@pytest.fixture
def model() -> SceneModel:
    """A model of three classes whose encoder can drop tokens."""
    torch.manual_seed(0)
    name: str = "plainmamba_l1+light"
    encoder = {"embed_dims": 16, "num_layers": 4, "out_indices": (0, 3)}
    options: dict[str, Any] = {"encoder": encoder}
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
    """Calm water to the left, a rough town to the right."""
    path = tmp_path / "scene.tif"
    pixels = np.full((3, 64, 128), 90, dtype=np.uint8)
    pixels[:, :, 64:] = np.random.default_rng(1).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "uint8", "crs": "EPSG:32640"}
    place = rasterio.Affine(0.5, 0, 330000, 0, -0.5, 2790000)
    with rasterio.open(
        path, "w", height=64, width=128, count=3, transform=place, **profile
    ) as file:
        file.write(pixels)
    return path


def trial(content: float, good_from: float) -> Trial:
    """Return a tile that keeps its classes from a ratio on, and half of them below."""
    same = tuple(100 if ratio >= good_from else 50 for ratio in RATIOS)
    return Trial(content=content, pixels=100, same=same)


def test_content_is_the_change_between_squares() -> None:
    calm, steps = torch.full((2, 32, 32), 7.0), torch.zeros(1, 32, 32)
    steps[:, :, 16:] = 6.0
    assert tile_content(calm, None, std=(1.0, 2.0)) == 0
    # One of three column borders, and no row border, has a step of two deviations.
    assert tile_content(steps, None, std=(3.0,)) == pytest.approx(2 * (1 / 3) / 2)
    assert tile_content(calm[:, :4, :4], None, std=None) == 0


def test_each_level_gets_the_least_ratio_that_keeps_its_classes() -> None:
    trials = [trial(content, good) for content, good in ((0.4, 2.0), (0.1, 0.3), (0.2, 0.3))]
    levels = choose_levels([*trials, trial(0.3, 0.7)], agreement=0.98, tile=64)
    assert levels.ratios == (0.3, 0.7, 1.0)
    assert levels.limits == pytest.approx((0.25, 0.35))
    assert levels.reached == 1
    assert [levels.ratio_for(content) for content in (0.0, 0.3, 9.0)] == [0.3, 0.7, 1.0]


def test_tiles_of_one_content_are_one_level_that_is_safe() -> None:
    levels = choose_levels([trial(0.2, 0.3), trial(0.2, 0.8)], agreement=0.98, tile=64)
    assert (levels.limits, levels.ratios) == ((), (0.8,))


def test_a_calibrated_model_keeps_its_promise_and_its_levels(
    model: SceneModel, scene: Path, tmp_path: Path
) -> None:
    levels = calibrate_pruning(model, [scene], agreement=0.9, tile=64, device="cpu")
    assert (levels.num_tiles, levels.tile) == (2, 64)
    assert levels.reached >= 0.9
    again = load_model(save_model(model, tmp_path / "model.safetensors"), device="cpu")
    assert PruningLevels.of(again) == levels
    options: dict[str, Any] = {"model": again, "tile": 64, "overlap": 0, "device": "cpu"}
    maps = []
    for name, prune in (("dense", None), ("auto", "auto")):
        options["prune"] = prune
        made = predict(scene, tmp_path / f"{name}.tif", **options)
        with rasterio.open(made.out) as file:
            maps.append(file.read(1))
        assert (made.pruning is None) == (prune is None)
    assert (maps[0] == maps[1]).mean() == pytest.approx(levels.reached)
    assert pruning_of(again) is None


def test_auto_gives_each_tile_its_own_ratio(model: SceneModel, scene: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": model, "tile": 64, "overlap": 0, "device": "cpu"}
    levels = {"limits": [0.1], "ratios": [0.2, 1.0], **CALIBRATED}
    model.metadata["pruning_levels"] = levels
    maps = {}
    for prune in (None, 0.2, "auto"):
        made = predict(scene, tmp_path / f"{prune}.tif", prune=prune, **options)
        with rasterio.open(made.out) as file:
            maps[prune] = file.read(1)
    assert (maps["auto"][:, :64] == maps[0.2][:, :64]).all()
    assert (maps["auto"][:, 64:] == maps[None][:, 64:]).all()
    assert (maps[0.2][:, 64:] != maps[None][:, 64:]).any()


def test_a_model_without_levels_says_how_to_get_them(
    model: SceneModel, scene: Path, tmp_path: Path
) -> None:
    word: Any = "half"
    with pytest.raises(OptionError, match=r"no pruning levels; make them .* calibrate-pruning"):
        predict(scene, tmp_path / "map.tif", model=model, prune="auto", device="cpu")
    with pytest.raises(OptionError, match="prune is 'half'; give a keep ratio such as"):
        predict(scene, tmp_path / "map.tif", model=model, prune=word)
    with pytest.raises(OptionError, match=r"agreement 1\.5 and 64 tiles: give a share"):
        calibrate_pruning(model, [scene], agreement=1.5)
    with pytest.raises(OptionError, match="limits must rise"):
        PruningLevels(limits=(0.2, 0.1), ratios=(0.3, 0.4, 1.0), **CALIBRATED)


def test_work_that_was_begun_with_other_levels_is_not_taken_up(model: SceneModel) -> None:
    seen = {model.fingerprint()}
    for ratios in ([0.2, 1.0], [0.3, 1.0]):
        model.metadata["pruning_levels"] = {"limits": [0.1], "ratios": ratios, **CALIBRATED}
        seen.add(model.fingerprint())
    assert len(seen) == 3


def test_tiles_of_another_size_are_told(
    model: SceneModel, scene: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model.metadata["pruning_levels"] = {"limits": [], "ratios": [0.5], **CALIBRATED}
    options: dict[str, Any] = {"model": model, "overlap": 0, "device": "cpu", "prune": "auto"}
    predict(scene, tmp_path / "same.tif", tile=64, **options)
    assert not caplog.messages
    predict(scene, tmp_path / "other.tif", tile=32, **options)
    assert "calibrated with tiles of 64 px, this prediction has tiles of 32" in caplog.text
