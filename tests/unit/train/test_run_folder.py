"""What a run leaves for people and for other tools."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from rsmamba.classes import ClassScheme
from rsmamba.errors import MissingPackageError, OptionError, RsmambaError
from rsmamba.train import TrainConfig, TrainResult, fit
from rsmamba.train.curves import read_columns
from rsmamba.train.environment import code_checksum

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def result(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    run_dir = tmp_path_factory.mktemp("folder")
    loggers: dict[str, dict[str, Any]] = {"tensorboard": {}}
    fit(make_config(run_dir, epochs=1, samples=1, loggers=loggers))
    return fit(make_config(run_dir, epochs=2, samples=1, loggers=loggers, resume=True))


def test_every_batch_is_a_line_and_epochs_are_their_means(result: TrainResult) -> None:
    steps = read_columns(result.run_dir / "losses.csv")
    assert steps["step"].tolist() == [1, 2, 3, 4]
    assert steps["epoch"].tolist() == [1, 1, 2, 2]
    assert steps["batch"].tolist() == [1, 2, 1, 2]
    means = steps["loss"].astype(np.float32).reshape(2, 2).mean(axis=1)
    assert [record.loss for record in result.records] == pytest.approx(means.tolist(), abs=1e-7)
    assert steps["learning_rate"][[1, 3]].tolist() == [r.learning_rate for r in result.records]


def test_the_environment_tells_sessions_code_machine_and_data(result: TrainResult) -> None:
    known = json.loads((result.run_dir / "environment.json").read_text(encoding="utf-8"))
    first, second = known["sessions"]
    assert (first["resumed_at_step"], second["resumed_at_step"]) == (None, 2)
    assert {"torch", "lightning", "numpy", "rsmamba"} <= set(first["packages"])
    assert first["memory_bytes"] > 0
    assert first["cpu"]
    assert len(first["code_sha256"]) == 64
    (scene,) = known["data"]["train"]
    assert Path(scene["image"]).name == "one.tif"
    assert sum(scene["class_pixels"]) == 64 * 80


def test_the_checksum_of_code_follows_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    sums = [code_checksum(tmp_path)]
    (tmp_path / "a.py").write_text("2")
    sums.append(code_checksum(tmp_path))
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    sums.append(code_checksum(tmp_path))
    (tmp_path / "c.txt").write_text("no code")
    assert len(set(sums)) == 3
    assert code_checksum(tmp_path) == sums[-1]


def test_pictures_show_image_label_and_prediction(result: TrainResult) -> None:
    (path,) = (result.run_dir / "samples").iterdir()
    assert path.name == "1_two.png"
    with Image.open(path) as picture:
        image, label = (
            np.asarray(picture.crop((left, 40, left + 300, 250))) for left in (16, 16 + 320 + 16)
        )
    names = ["field", "road", "lake"]
    classes = {tuple(colour) for colour in ClassScheme.from_names(names).colours}
    assert {tuple(colour) for colour in np.unique(label.reshape(-1, 3), axis=0)} == classes
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100


def test_curves_are_a_picture(result: TrainResult) -> None:
    with Image.open(result.run_dir / "curves.png") as picture:
        assert picture.size == (990, 880)
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50


def test_tensorboard_has_every_step_once_after_a_resume(result: TrainResult) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(result.run_dir / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    scores = [event.value for event in events.Scalars("validation/mean_iou")]
    assert scores == pytest.approx([record.mean_iou for record in result.records])


@pytest.mark.parametrize(
    ("name", "adapter"), [("wandb", "WandbLogger"), ("mlflow", "MLFlowLogger")]
)
def test_other_loggers_are_one_line_of_the_configuration(
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    adapter: str,
) -> None:
    """Their packages are not needed for this: Lightning's own CSV logger stands for theirs."""
    given: list[dict[str, Any]] = []

    def make(**options: Any) -> CSVLogger:  # noqa: ANN401 - whatever the adapter takes
        given.append(options)
        return CSVLogger(tmp_path / "logged", name="", version="", flush_logs_every_n_steps=1)

    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(f"rsmamba.train.loggers.{adapter}", make)
    fit(make_config(tmp_path / "roofs", epochs=1, loggers={name: {"prefix": "p"}}))
    (options,) = given
    assert options["prefix"] == "p"
    assert "roofs" in (options.get("name"), options.get("run_name"))
    rows = (tmp_path / "logged" / "metrics.csv").read_text(encoding="utf-8")
    assert "validation/mean_iou" in rows
    assert rows.count("\n") == 4


def test_a_logger_without_its_package_is_refused_before_data_are_read(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    config = make_config(tmp_path / "run", loggers={"mlflow": {}})
    absent = replace(config, data=replace(config.data, root=tmp_path / "absent"))
    with pytest.raises(MissingPackageError, match=r'mlflow is needed .*"rsmamba\[tracking\]"'):
        fit(absent)


def test_options_that_a_logger_does_not_take(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(tmp_path / "run", loggers={"tensorboard": {"colour": "red"}})
    with pytest.raises(OptionError, match=r"trainer.loggers.tensorboard has an option .*colour"):
        fit(config)
    assert not config.trainer.run_dir.exists()


def test_a_service_that_refuses_is_one_line(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> CSVLogger:
        message = "no key,\nlog in first"
        raise RuntimeError(message)

    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    monkeypatch.setattr("rsmamba.train.loggers.WandbLogger", refuse)
    config = make_config(tmp_path / "run", loggers={"wandb": {}})
    with pytest.raises(RsmambaError, match=r"wandb cannot begin: no key, log in first; set it up"):
        fit(config)
    assert not config.trainer.run_dir.exists()
