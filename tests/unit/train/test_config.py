"""Training sections: values outside their range are named with what is allowed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rsmamba.errors import OptionError
from rsmamba.train import (
    LossConfig,
    OptimiserConfig,
    ScheduleConfig,
    TrainConfig,
    TrainerConfig,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"epochs": 0}, "epochs is 0; give 1 or more"),
        ({"batch_size": 0}, "batch_size is 0; give 1 or more"),
        ({"seed": -1}, "seed is -1; give 0 or more"),
        ({"workers": -1}, "workers is -1; give 0 or more"),
        ({"validate_every": 0}, "validate_every is 0; give 1 or more"),
        ({"threads": 0}, "threads is 0; give 1 or more, or leave it out"),
        ({"max_hours": 0.0}, "max_hours is 0.0; give more than 0, or leave it out"),
        ({"max_hours": NAN}, "max_hours is nan"),
        ({"validation_tile": 16}, "validation_tile is 16; give 32 or more"),
        ({"patience": 0}, "patience is 0; give 1 or more"),
        ({"minimum_gain": NAN}, "minimum_gain is nan; give 0 or more, below 1"),
        ({"validation_overlap": -1}, "validation_overlap is -1; give 0 or more"),
        ({"validation_overlap": 512}, "validation_overlap is 512 and validation_tile 512; the ov"),
    ],
)
def test_wrong_trainer_values_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        TrainerConfig(run_dir=Path("run"), **values)


@pytest.mark.parametrize("precision", [16, "16"])
def test_precision_may_be_the_number_that_yaml_reads(precision: Any) -> None:  # noqa: ANN401
    assert TrainerConfig(run_dir=Path("run"), precision=precision).precision == "16"


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"learning_rate": 0.0}, "learning_rate is 0.0, .* the first must be above 0"),
        ({"learning_rate": NAN}, "learning_rate is nan"),
        ({"learning_rate": float("inf")}, "learning_rate is inf"),
        ({"weight_decay": -1.0}, "weight_decay -1.0"),
        ({"gradient_clip": -1.0}, "gradient_clip -1.0; the first must be above 0, the others 0"),
        ({"betas": (0.9, 1.0)}, "betas are .0.9, 1.0.; give two numbers of 0 or more, below 1"),
        ({"accumulate": 0}, "accumulate is 0; give 1 .off. or more"),
        ({"layer_decay": 0.0}, "layer_decay is 0.0; give above 0, up to 1 .off."),
        ({"factors": {"encoder": -1.0}}, "factors has -1.0 for 'encoder'; give 0 or more"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0; give 0 .off. or more, below 1"),
    ],
)
def test_wrong_optimiser_values_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        OptimiserConfig(**values)


@pytest.mark.parametrize("values", [{"warmup": 1.0}, {"warmup": -0.1}, {"floor": 1.1}])
def test_wrong_schedules_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"warmup is .* and floor .*; give shares from 0 to 1"):
        ScheduleConfig(**values)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"power": 0.0}, "power is 0.0; give more than 0"),
        ({"periods": 0}, "periods is 0 and multiplier 2.0; give 1 or more, and more than 0"),
        ({"multiplier": NAN}, "multiplier nan"),
    ],
)
def test_wrong_kinds_of_schedules_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        ScheduleConfig(**values)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"cross_entropy": 0.0, "dice": 0.0}, "give numbers of 0 or more, not all of them 0"),
        ({"dice": -1.0}, "the weights are cross_entropy 1.0, dice -1.0, foc"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0; give a share from 0 to below 1"),
        ({"focal": NAN}, "focal nan"),
        ({"dice_smoothing": 0.0}, "dice_smoothing is 0.0; give more than 0"),
        ({"focal_gamma": -1.0}, "focal_gamma is -1.0; give 0 or more"),
        ({"auxiliary": -0.4}, "auxiliary is -0.4; give 0 or more"),
        (
            {"class_weights": "even"},
            "class_weights is 'even'; give one .* balanced or sqrt_balanced",
        ),
        ({"class_weights": (1.0, -1.0)}, "class_weights are .1.0, -1.0.; give one of 0 or more"),
        ({"class_weights": (0.0, 0.0)}, "not all of them 0"),
        ({"class_weights": ()}, "give one of 0 or more a class"),
    ],
)
def test_wrong_losses_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        LossConfig(**values)


def test_sections_are_checked_against_each_other(make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(Path("run"))
    with pytest.raises(OptionError, match=r"loss.class_weights has 2 weights for 3 classes; give"):
        replace(config, loss=LossConfig(class_weights=(1.0, 2.0)))
    with pytest.raises(
        OptionError, match=r"data.chips_per_epoch is 4, less than trainer.batch_size"
    ):
        make_config(Path("run"), batch_size=5)
    with pytest.raises(OptionError, match=r"batch_size 2 times optimiser.accumulate 3; an epoch"):
        make_config(Path("run"), optimiser=OptimiserConfig(accumulate=3))


def test_an_incomplete_batch_is_no_step(make_config: Callable[..., TrainConfig]) -> None:
    config = make_config(Path("run"), batch_size=3, epochs=5)
    assert (config.steps_per_epoch, config.total_steps) == (1, 5)
    joined = replace(config.data, chips_per_epoch=11)
    config = replace(config, data=joined, optimiser=OptimiserConfig(accumulate=2))
    assert (config.steps_per_epoch, config.batches_per_epoch) == (1, 2)


def test_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert TrainerConfig(run_dir=Path("~/run")).run_dir == tmp_path / "run"
