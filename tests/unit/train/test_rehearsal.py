"""A rehearsal trains as the run would, tells its cost and leaves no trace."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rsmamba.cli.app import run
from rsmamba.errors import DataError, DeviceError, OutputExistsError
from rsmamba.train import OptimiserConfig, TrainConfig, fit, rehearse
from rsmamba.train.curves import read_columns
from rsmamba.train.module import SegmentationModule

MakeConfig = Callable[..., TrainConfig]


def test_the_first_batch_is_that_of_the_run(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(tmp_path / "run", epochs=1)
    plan = rehearse(config)
    assert not config.trainer.run_dir.exists()
    fit(config)
    assert plan.loss == read_columns(config.trainer.run_dir / "losses.csv")["loss"][0]
    assert (plan.train_pixels, plan.validation_pixels, plan.steps) == (64 * 80, 64 * 80, 2)
    assert plan.data_bytes == 2 * 64 * 80 * (3 + 2)
    assert plan.batch_seconds > 0
    assert plan.seconds >= 2 * plan.batch_seconds
    assert plan.memory_bytes > 50 * 2**20


def test_of_several_devices_one_rehearses(make_config: MakeConfig, tmp_path: Path) -> None:
    optimiser = OptimiserConfig(accumulate=2)
    config = make_config(tmp_path / "run", epochs=9, devices=2, optimiser=optimiser)
    plan = rehearse(config)
    assert (plan.batch_size, plan.steps) == (2, 9)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_refused_as_in_earnest(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    absent = replace(config, data=replace(config.data, root=tmp_path / "absent"))
    with pytest.raises(DataError, match="absent/images is not a folder"):
        rehearse(absent)
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(OutputExistsError, match="already holds a run"):
        rehearse(config)


def test_too_little_memory_is_one_line(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_step(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(SegmentationModule, "training_step", training_step)
    with pytest.raises(DeviceError, match=r"cpu has no memory left for 2 chips of 64 px; give a"):
        rehearse(make_config(tmp_path / "run"))


def test_the_command_prints_the_plan(
    sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sample_data.parent / "configs/train/sample_data.yaml"
    changes = [
        "model.options={dim: 8, d_state: 1, block: vss, fusion: add}",
        f"data.root={sample_data}",
        "data.chip=32",
        "trainer.device=cpu",
        f"trainer.run_dir={tmp_path / 'run'}",
    ]
    words = [word for change in changes for word in ("--set", change)]
    assert run(["train", str(config), *words, "--dry-run", "--json", "-q"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["classes"] == ["building", "land", "road", "vegetation", "water"]
    assert (plan["epochs"], plan["steps"], plan["bands"]) == (5, 80, 3)
    assert run(["train", str(config), *words, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "80 in 5 epochs" in text
    assert "would write" in text
    assert list(tmp_path.iterdir()) == []
