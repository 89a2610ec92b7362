"""A whole run: repeatable, its files load and hold what the records say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import rsmamba
from rsmamba.data import LabelledScene, find_splits
from rsmamba.metrics import compute_scores
from rsmamba.models import SceneModel
from rsmamba.train import OptimiserConfig, TrainConfig, TrainResult, fit
from rsmamba.train.validation import validate

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def config(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    config = make_config(tmp_path_factory.mktemp("run") / "new" / "run", epochs=6)
    return replace(config, data=replace(config.data, chips_per_epoch=8))


@pytest.fixture(scope="module")
def result(config: TrainConfig) -> TrainResult:
    return fit(config)


def scores_of(model: Path, config: TrainConfig) -> tuple[float, float]:
    """Mean IoU and overall accuracy of a model file on the validation scenes."""
    pairs = find_splits(config.data)[1]
    scenes = [LabelledScene(pair, classes=config.data.classes) for pair in pairs]
    scores = compute_scores(validate(rsmamba.load_model(model, "cpu"), scenes).counts)
    return scores.mean_iou, scores.overall_accuracy


def test_a_run_learns(result: TrainResult) -> None:
    first, last = result.records[0], result.records[-1]
    assert [record.step for record in result.records] == [4, 8, 12, 16, 20, 24]
    assert last.loss < 0.9 * first.loss
    assert (last.mean_iou or 0) > 1.5 * (first.mean_iou or 1)


def test_half_precision_learns_with_clipped_gradients(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", epochs=6)
    trainer = replace(config.trainer, precision="bf16")
    config = replace(config, trainer=trainer, data=replace(config.data, chips_per_epoch=8))
    assert config.optimiser.gradient_clip > 0

    records = fit(config).records

    assert records[-1].loss < 0.9 * records[0].loss


def test_a_run_leaves_these_files(result: TrainResult) -> None:
    names = {path.name for path in result.run_dir.iterdir()}
    models = {"best.safetensors", "last.safetensors"}
    tables = {"history.csv", "losses.csv"}
    assert names == models | {"last.ckpt", "config.json", "environment.json", "curves.png", *tables}


def test_history_has_a_line_an_epoch(result: TrainResult) -> None:
    header, *lines = (result.run_dir / "history.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("epoch,step,loss,learning_rate")
    assert header.endswith("iou_field,iou_road,iou_lake")
    assert [line.split(",")[0] for line in lines] == list("123456")


def test_best_model_is_the_best_and_scores_what_its_record_says(
    result: TrainResult, config: TrainConfig
) -> None:
    assert result.best.mean_iou == max(record.mean_iou or 0 for record in result.records)
    assert scores_of(result.best_model, config) == (
        result.best.mean_iou,
        result.best.overall_accuracy,
    )


def test_last_model_scores_what_its_record_says(result: TrainResult, config: TrainConfig) -> None:
    last = result.records[-1]
    assert scores_of(result.last_model, config) == (last.mean_iou, last.overall_accuracy)


def test_model_file_tells_its_user_what_it_takes(result: TrainResult) -> None:
    model = rsmamba.load_model(result.best_model, "cpu")
    assert model.classes.names == ("field", "road", "lake")
    assert (model.in_channels, model.input_dtype, model.name) == (3, "uint8", "cvmh_unet")
    assert model.mean is not None
    assert 40 < float(model.mean.mean()) < 160
    training = model.metadata["training"]
    assert (training["train"], training["validation"]) == (["one"], ["two"])
    assert training["chips"] == 48
    assert model(torch.rand(2, 3, 50, 33) * 255).shape == (2, 3, 50, 33)


def test_same_seed_gives_the_same_run_bit_for_bit(
    result: TrainResult, config: TrainConfig, tmp_path: Path
) -> None:
    again = fit(replace(config, trainer=replace(config.trainer, run_dir=tmp_path)))
    assert [r.loss for r in again.records] == [r.loss for r in result.records]
    weights, same = (rsmamba.load_model(r.last_model, "cpu") for r in (result, again))
    assert weights.fingerprint() == same.fingerprint()


def test_another_seed_gives_another_run(make_config: MakeConfig, tmp_path: Path) -> None:
    one, other = (fit(make_config(tmp_path / f"{i}", epochs=1, seed=i)) for i in (0, 1))
    assert one.records[0].loss != other.records[0].loss


def test_a_run_leaves_torch_as_it_was(make_config: MakeConfig, tmp_path: Path) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    fit(make_config(tmp_path, epochs=1, threads=threads + 1))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_half_storage_halves_the_file(
    result: TrainResult, make_config: MakeConfig, config: TrainConfig, tmp_path: Path
) -> None:
    model = replace(config.model, storage="float16", licence="CC0-1.0")
    half = fit(make_config(tmp_path, epochs=1, model=model))
    assert half.last_model.stat().st_size < 0.7 * result.last_model.stat().st_size
    assert rsmamba.load_model(half.last_model, "cpu").metadata["licence"] == "CC0-1.0"


def test_validation_comes_as_often_as_asked_and_at_the_end(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    records = fit(make_config(tmp_path, epochs=3, validate_every=2)).records
    assert [record.mean_iou is not None for record in records] == [False, True, True]


def test_a_run_ends_when_its_time_is_over(make_config: MakeConfig, tmp_path: Path) -> None:
    records = fit(make_config(tmp_path, epochs=50, max_hours=1e-9, validate_every=9)).records
    assert [record.step for record in records] == [1]
    assert records[0].mean_iou is not None


def test_without_averaging_the_trained_weights_are_stored(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    network = nn.Conv2d(3, 3, 1)
    before = network.weight.detach().clone()
    config = make_config(tmp_path, epochs=1, optimiser=OptimiserConfig(ema_decay=0))
    stored: list[torch.Tensor] = []

    def write(model: SceneModel, path: Path) -> None:
        stored.append(model.network.get_parameter("weight").detach().clone())
        save_file(model.network.state_dict(), path)

    fit(config, network=network, write_model=write)
    assert torch.equal(stored[-1], network.weight)
    assert not torch.equal(before, network.weight)


class Strict(nn.Conv2d):
    """Network that takes sides divisible by 16 only."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Refuse other sides."""
        assert image.shape[-1] % 16 == image.shape[-2] % 16 == 0
        return super().forward(image)


def test_a_network_of_the_caller_brings_its_input_multiple(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    seen: list[int] = []

    def write(model: SceneModel, path: Path) -> None:
        seen.append(model.input_multiple)
        save_file(model.network.state_dict(), path)

    config = make_config(tmp_path, epochs=1, validation_tile=50, validation_overlap=0)
    fit(config, network=Strict(3, 3, 1), input_multiple=16, write_model=write)
    assert set(seen) == {16}
