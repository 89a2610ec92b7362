"""A model and a data configuration: the numbers of predicting and evaluating by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rsmamba
from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError
from rsmamba.train import TrainConfig, TrainResult, fit
from rsmamba.train.accuracy import evaluate_model

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def config(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return make_config(tmp_path_factory.mktemp("run"), epochs=1)


@pytest.fixture(scope="module")
def result(config: TrainConfig) -> TrainResult:
    return fit(config)


def test_validation_scenes_have_the_accuracy_that_training_saw(
    config: TrainConfig, result: TrainResult
) -> None:
    report = evaluate_model(result.best_model, config, split="validation", resamples=10)
    assert report.mean_iou == result.best.mean_iou
    assert report.tally.counted == 64 * 80
    assert report.calibration is not None
    (scene,) = report.scenes
    assert (Path(scene.reference).name, scene.name) == ("two.tif", "two")
    assert scene.map.endswith("images/two.tif")


def test_it_is_the_accuracy_of_the_map_that_predict_writes(
    config: TrainConfig, result: TrainResult, tmp_path: Path
) -> None:
    tiles = replace(config.trainer, validation_tile=64, validation_overlap=32)
    config = replace(config, trainer=tiles)
    report = evaluate_model(result.last_model, config, split="train", pictures=True)
    image, out = config.data.root / "images/one.tif", tmp_path / "map.tif"
    rsmamba.predict(image, out, model=result.last_model, tile=64, overlap=32, device="cpu")
    by_hand = rsmamba.evaluate(out, config.data.root / "masks/one.tif", labels="index")
    assert np.array_equal(report.counts, by_hand.counts)
    assert len(report.pictures) == 1


def test_a_share_of_rows_is_cut_from_map_and_labels(
    config: TrainConfig, result: TrainResult
) -> None:
    data = replace(config.data, validation=(), validation_share=0.25)
    report = evaluate_model(result.best_model, replace(config, data=data), split="validation")
    assert report.scenes[0].height == 16
    assert report.tally.counted == 16 * 80


def test_what_cannot_be_evaluated_is_refused(config: TrainConfig, result: TrainResult) -> None:
    with pytest.raises(OptionError, match="folders name no test scenes; take --split validation"):
        evaluate_model(result.best_model, config)
    with pytest.raises(OptionError, match="split is 'all'; give train, validation or test"):
        evaluate_model(result.best_model, config, split="all")  # type: ignore[arg-type]
    others = replace(config.data, classes=ClassScheme.from_names(["lake", "road", "field"]))
    with pytest.raises(OptionError, match="has the classes field, road, lake and the data lake"):
        evaluate_model(result.best_model, replace(config, data=others), split="train")
