"""A run that was stopped goes on as if it had not been, or says why it cannot."""

import json
import logging
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rsmamba
from rsmamba.data import AugmentConfig
from rsmamba.errors import ConfigError, OutputExistsError
from rsmamba.train import (
    LossConfig,
    ModelConfig,
    ScheduleConfig,
    TrainConfig,
    TrainResult,
    fit,
    rehearse,
)
from rsmamba.train.module import SegmentationModule
from rsmamba.train.run_folder import RunFolder

MakeConfig = Callable[..., TrainConfig]
# The blocks of the paper, whose batch norms have running statistics to keep.
PAPER = {"encoder_depths": [1] * 4, "decoder_depths": [1] * 4, "dim": 8, "d_state": 1}


def fit_until(config: TrainConfig, *, step: int, stop: signal.Signals | None = None) -> None:
    """Train until a step, in whose middle a signal comes, or an error as sudden as a power cut."""
    original = SegmentationModule.training_step

    def training_step(self: SegmentationModule, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401
        if self.global_step == step and stop is None:
            raise EOFError
        if self.global_step == step and stop is not None:
            signal.raise_signal(stop)
        return original(self, batch, batch_idx)

    ends = {None: EOFError, signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SystemExit}[stop]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", training_step)
        with pytest.raises(ends) as caught:
            fit(config)
    # 143 tells whoever sent the signal that the run did not come to its end.
    assert getattr(caught.value, "code", 143) == 143


def resumed(config: TrainConfig, **values: Any) -> TrainConfig:  # noqa: ANN401 - any field
    return replace(config, trainer=replace(config.trainer, resume=True, **values))


def numbers(result: TrainResult) -> list[object]:
    """What a record holds apart from times."""
    return [
        (r.epoch, r.step, r.loss, r.learning_rate, r.mean_iou, r.overall_accuracy, r.iou)
        for r in result.records
    ]


@pytest.fixture
def warnings_told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the run warns of, whatever a command of another test set."""
    caplog.set_level(logging.WARNING, logger="rsmamba.train.run")
    return caplog


@pytest.fixture(scope="module")
def stopped(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A run of three epochs that was stopped in its second; only for tests that are refused."""
    config = make_config(tmp_path_factory.mktemp("stopped"))
    fit_until(config, step=3, stop=signal.SIGINT)
    return config


def test_a_stopped_run_ends_with_the_same_weights_and_history(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    model = ModelConfig(name="cvmh_unet", options=PAPER)
    whole = fit(make_config(tmp_path / "whole", model=model, epochs=2))
    config = make_config(tmp_path / "parts", model=model, epochs=2)
    fit_until(config, step=3)
    parts = fit(resumed(config))
    assert numbers(parts) == numbers(whole)
    for name in ("last.safetensors", "best.safetensors"):
        one, other = (rsmamba.load_model(r.run_dir / name, "cpu") for r in (whole, parts))
        assert one.fingerprint() == other.fingerprint()
    assert len((parts.run_dir / "history.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_ctrl_c_says_what_is_kept_and_leaves_the_signal_alone(
    make_config: MakeConfig, tmp_path: Path, warnings_told: pytest.LogCaptureFixture
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    fit_until(make_config(tmp_path), step=3, stop=signal.SIGINT)
    assert f"stopped; kept in {tmp_path}: 1 epoch; continue with" in warnings_told.text
    assert signal.getsignal(signal.SIGINT) is handler
    names = {path.name for path in tmp_path.iterdir()}
    models = {"best.safetensors", "last.safetensors"}
    tables = {"history.csv", "losses.csv"}
    assert names == models | {"last.ckpt", "config.json", "environment.json", *tables}


def test_being_told_to_end_is_not_success(
    make_config: MakeConfig, tmp_path: Path, warnings_told: pytest.LogCaptureFixture
) -> None:
    fit_until(make_config(tmp_path, epochs=9), step=2, stop=signal.SIGTERM)
    assert "stopped; kept in" in warnings_told.text


def test_a_run_stopped_in_its_first_epoch_leaves_nothing(
    make_config: MakeConfig, tmp_path: Path, warnings_told: pytest.LogCaptureFixture
) -> None:
    fit_until(make_config(tmp_path / "run"), step=1, stop=signal.SIGINT)
    assert "stopped; there was no checkpoint yet" in warnings_told.text
    assert not (tmp_path / "run").exists()


def test_what_is_kept_of_an_epoch_is_counted(
    make_config: MakeConfig, tmp_path: Path, warnings_told: pytest.LogCaptureFixture
) -> None:
    config = make_config(tmp_path, epochs=9, checkpoint_steps=1)
    fit_until(config, step=3, stop=signal.SIGINT)
    assert f"stopped; kept in {tmp_path}: 1 epoch and 1 batch; continue" in warnings_told.text


def test_resuming_nothing_begins(make_config: MakeConfig, tmp_path: Path) -> None:
    result = fit(make_config(tmp_path / "run", epochs=1, resume=True))
    assert [record.epoch for record in result.records] == [1]


def test_models_whose_checkpoint_is_gone_are_not_replaced(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    folder = RunFolder(path=tmp_path)
    config = make_config(tmp_path, resume=True)
    folder.best_model.touch()
    folder.history.write_text("epoch\n1\n", encoding="utf-8")
    assert folder.check(config) is None
    folder.history.write_text("epoch\n1\n2\n", encoding="utf-8")
    with pytest.raises(OutputExistsError, match=r"models of a run and no last\.ckpt to go"):
        folder.check(config)


def test_a_finished_run_is_not_trained_again(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(tmp_path, epochs=1)
    first = fit(config)
    assert numbers(fit(resumed(config))) == numbers(first)


def test_a_run_is_not_overwritten(stopped: TrainConfig) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in stopped.trainer.run_dir.iterdir()}
    with pytest.raises(
        OutputExistsError, match=r"already holds a run; continue it with trainer.res"
    ):
        fit(stopped)
    after = {path.name: path.stat().st_mtime_ns for path in stopped.trainer.run_dir.iterdir()}
    assert after == before


@pytest.mark.parametrize(
    ("sections", "match"),
    [
        ({"loss": LossConfig(dice=0.5)}, "with loss.dice 1.0 and not 0.5; change them back"),
        ({"schedule": ScheduleConfig(warmup=0.5)}, "schedule.warmup 0.05 and not 0.5"),
        ({"model": ModelConfig(name="other")}, "model.name 'cvmh_unet' and not 'other'"),
    ],
)
def test_another_section_is_refused(
    stopped: TrainConfig, sections: dict[str, Any], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        fit(replace(resumed(stopped), **sections))


def test_the_first_that_differ_are_named(stopped: TrainConfig) -> None:
    data = replace(stopped.data, augment=AugmentConfig(), chip=32, train=("n" * 99,))
    match = (
        r"data.augment.scale .0.9, 1.2. and not .*, data.chip 64 and not 32, .*\.\.\. and 2 more"
    )
    with pytest.raises(ConfigError, match=match):
        fit(replace(resumed(stopped, seed=1, batch_size=1), data=data))


def test_data_may_have_moved(stopped: TrainConfig, tmp_path: Path) -> None:
    """Only then is the missing folder noticed, which is not a matter of the configuration."""
    moved = replace(stopped.data, root=tmp_path, cache_mb=1)
    with pytest.raises(rsmamba.RsmambaError, match=r"is not a folder; set data.root"):
        fit(replace(resumed(stopped), data=moved))


def test_fields_of_a_later_version_have_their_default_in_older_runs(stopped: TrainConfig) -> None:
    stored = stopped.trainer.run_dir / "config.json"
    text = stored.read_text(encoding="utf-8")
    values = json.loads(text)
    del values["data"]["validation_share"], values["data"]["augment"]["contrast"]
    del values["loss"]["form"], values["schedule"]
    stored.write_text(json.dumps(values), encoding="utf-8")
    RunFolder(path=stopped.trainer.run_dir).check(resumed(stopped))
    stored.write_text(text, encoding="utf-8")


def test_fewer_epochs_than_are_done_are_refused(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(tmp_path, epochs=2)
    fit(config)
    with pytest.raises(
        ConfigError, match=r"trainer.epochs is 1 and the run in .* has done 2; give 2"
    ):
        fit(resumed(config, epochs=1))


def test_a_run_cut_before_its_first_validation_has_no_best(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(tmp_path, validate_every=9)
    fit_until(config, step=3)
    with pytest.raises(ConfigError, match=r"ended before its first validation; give more epochs"):
        fit(resumed(config, epochs=1))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("last.ckpt", "last.ckpt is not a readable checkpoint .* delete the folder to begin anew"),
        ("config.json", "config.json cannot be read .* choose another trainer.run_dir"),
    ],
)
def test_damaged_files_are_named(
    make_config: MakeConfig, tmp_path: Path, name: str, match: str
) -> None:
    config = make_config(tmp_path, epochs=1)
    fit(config)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match=match):
        fit(resumed(config))


def test_a_changed_byte_is_found(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(tmp_path, epochs=1)
    fit(config)
    content = bytearray((tmp_path / "last.ckpt").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"not a readable checkpoint \(.* is damaged\)"):
        fit(resumed(config, epochs=2))


@pytest.mark.parametrize("content", [[1], {"a": 1}, {"epoch": 0, "global_step": 2}])
def test_other_files_of_torch_are_no_checkpoints(
    stopped: TrainConfig, tmp_path: Path, content: object
) -> None:
    shutil.copytree(stopped.trainer.run_dir, tmp_path / "run")
    torch.save(content, tmp_path / "run" / "last.ckpt")
    with pytest.raises(ConfigError, match=r"last.ckpt is not a readable checkpoint \(.+\)"):
        fit(resumed(stopped, run_dir=tmp_path / "run"))


def test_the_checkpoint_of_another_network_is_refused(
    stopped: TrainConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    model = ModelConfig(name="cvmh_unet", options={**stopped.model.options, "dim": 12})
    fit(make_config(tmp_path / "other", epochs=1, model=model))
    shutil.copytree(stopped.trainer.run_dir, tmp_path / "run")
    shutil.copy(tmp_path / "other" / "last.ckpt", tmp_path / "run")
    with pytest.raises(ConfigError, match=r"checkpoint of another network: .* is \(12, .*in it"):
        fit(resumed(stopped, run_dir=tmp_path / "run"))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "class_pixels",
            [1, 2, 3],
            r"class_pixels of the train scene one.tif was \[1, 2, 3\] and is",
        ),
        ("image", "zero.tif", "the train scene one.tif is new"),
    ],
)
def test_other_data_are_refused(
    stopped: TrainConfig, tmp_path: Path, key: str, value: object, told: str
) -> None:
    shutil.copytree(stopped.trainer.run_dir, tmp_path / "run")
    path = tmp_path / "run" / "environment.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    known["data"]["train"][0][key] = value
    path.write_text(json.dumps(known), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"was started with other data: {told}"):
        fit(resumed(stopped, run_dir=tmp_path / "run"))


def test_other_pixels_are_refused(stopped: TrainConfig, tmp_path: Path) -> None:
    shutil.copytree(stopped.trainer.run_dir, tmp_path / "run")
    path = tmp_path / "run" / "environment.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    known["data"]["mean"][0] += 1
    path.write_text(json.dumps(known), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"other data: the mean of the bands was .* and is"):
        rehearse(resumed(stopped, run_dir=tmp_path / "run"))


def test_a_damaged_record_is_named(stopped: TrainConfig, tmp_path: Path) -> None:
    shutil.copytree(stopped.trainer.run_dir, tmp_path / "run")
    (tmp_path / "run" / "environment.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"environment.json cannot be read .*; remove it"):
        fit(resumed(stopped, run_dir=tmp_path / "run"))
