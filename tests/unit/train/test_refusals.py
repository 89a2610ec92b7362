"""What cannot be trained is refused in one line, and nothing is left behind."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from torch import nn

import rsmamba.train
from rsmamba.errors import (
    DataError,
    DeviceError,
    MissingPackageError,
    NetworkError,
    OptionError,
    OutputError,
    RsmambaError,
)
from rsmamba.models import SceneModel
from rsmamba.train import LossConfig, ModelConfig, OptimiserConfig, TrainConfig, fit

MakeConfig = Callable[..., TrainConfig]


def refuse(config: TrainConfig, error: type[RsmambaError], match: str) -> None:
    """Check that a run is refused and that its folder is not made."""
    with pytest.raises(error, match=match):
        fit(config)
    assert not config.trainer.run_dir.exists()


@pytest.fixture
def config(make_config: MakeConfig, tmp_path: Path) -> TrainConfig:
    return make_config(tmp_path / "run", epochs=2)


def test_devices_that_are_not_there(config: TrainConfig) -> None:
    for device in ("cuda:99", "abacus"):
        elsewhere = replace(config, trainer=replace(config.trainer, device=device))
        match = f"trainer.device is '{device}', which this machine does not have; give auto"
        refuse(elsewhere, DeviceError, match)


def test_half_precision_without_a_gpu(config: TrainConfig) -> None:
    half = replace(config, trainer=replace(config.trainer, precision="16"))
    refuse(half, OptionError, "trainer.precision 16 needs a GPU; give bf16 or 32")


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (ModelConfig(name="cvmh_net"), "no network is called 'cvmh_net' .did you mean"),
        (ModelConfig(options={"dimm": 8}), "unknown option 'dimm' .did you mean 'dim'"),
        (ModelConfig(options={"dim": "wide"}), "cvmh_unet_small hold a value of the wrong type"),
    ],
)
def test_networks_are_checked_before_data(
    config: TrainConfig, model: ModelConfig, match: str, tmp_path: Path
) -> None:
    absent = replace(config.data, root=tmp_path / "absent")
    refuse(replace(config, model=model, data=absent), OptionError, match)


def test_missing_data(config: TrainConfig, tmp_path: Path) -> None:
    absent = replace(config.data, root=tmp_path / "absent")
    refuse(replace(config, data=absent), DataError, "absent/images is not a folder; set data.root")


def test_names_for_other_bands(config: TrainConfig) -> None:
    named = replace(config.data, band_names=("red", "green"))
    refuse(replace(config, data=named), OptionError, "band_names has 2 values for 3 bands")


def write_scene(root: Path, stem: str, *, bands: int, label: int) -> None:
    for folder, count, value in (("images", bands, 9), ("masks", 1, label)):
        (root / folder).mkdir(exist_ok=True)
        profile = {"count": count, "height": 64, "width": 64, "dtype": "uint8"}
        place = rasterio.Affine(1, 0, 0, 0, -1, 64)
        with rasterio.open(root / folder / f"{stem}.tif", "w", transform=place, **profile) as file:
            file.write(np.full((count, 64, 64), value, np.uint8))


@pytest.mark.parametrize(
    ("bands", "label", "match"),
    [
        (1, 0, "b.tif has 1 bands of uint8 and .*a.tif 3 of uint8; choose bands with data.bidx"),
        (3, 3, "b.tif holds the label 3 .* allowed are 0 to 2"),
    ],
)
def test_validation_data_are_checked_before_training(
    config: TrainConfig, tmp_path: Path, bands: int, label: int, match: str
) -> None:
    write_scene(tmp_path, "a", bands=3, label=1)
    write_scene(tmp_path, "b", bands=bands, label=label)
    data = replace(config.data, root=tmp_path, train=("a",), validation=("b",))
    refuse(replace(config, data=data), DataError, match)


@pytest.mark.parametrize(("labels", "split"), [((255, 0), "training"), ((0, 255), "validation")])
def test_scenes_without_a_label(
    config: TrainConfig, tmp_path: Path, labels: tuple[int, int], split: str
) -> None:
    for stem, label in zip("ab", labels, strict=True):
        write_scene(tmp_path, stem, bands=3, label=label)
    data = replace(config.data, root=tmp_path, train=("a",), validation=("b",))
    refuse(replace(config, data=data), DataError, f"no {split} scene has a labelled pixel")


def test_a_network_of_the_caller_needs_a_writer(config: TrainConfig) -> None:
    with pytest.raises(OptionError, match=r"a network of your own .* give write_model as well"):
        fit(config, network=nn.Conv2d(3, 3, 1))


def test_run_folders_that_cannot_be(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, match in (("file", "file is a file; give a folder"), ("file/run", "cannot write to")):
        options = replace(config.trainer, run_dir=tmp_path / name)
        with pytest.raises(OutputError, match=match):
            fit(replace(config, trainer=options))


def test_a_full_disk(config: TrainConfig) -> None:
    def write(_: SceneModel, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"cannot write to .*run: No space left on device"):
        fit(config, network=nn.Conv2d(3, 3, 1), write_model=write)
    assert not config.trainer.run_dir.exists()


def test_a_batch_norm_with_one_value(config: TrainConfig) -> None:
    narrow = {"dim": 8, "d_state": 1, "encoder_depths": [1] * 4, "decoder_depths": [1] * 4}
    one = replace(
        config,
        model=ModelConfig(name="cvmh_unet", options=narrow),
        trainer=replace(config.trainer, batch_size=1),
        data=replace(config.data, chip=32),
    )
    refuse(one, OptionError, "a batch of 1 chips of 32 px leaves a batch norm .* give more chips")


def test_a_loss_that_is_not_a_number(config: TrainConfig) -> None:
    wild = replace(
        config, optimiser=OptimiserConfig(learning_rate=1e30), loss=LossConfig(label_smoothing=0)
    )
    refuse(wild, NetworkError, "diverged in epoch 1: .* lower optimiser.learning_rate")


def test_lightning_is_asked_for_only_when_training_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lightning", None)
    with pytest.raises(MissingPackageError, match=r'pip install "rsmamba\[train\]"'):
        _ = rsmamba.train.fit
    with pytest.raises(AttributeError, match="has no attribute 'fitt'"):
        _ = getattr(rsmamba.train, "fitt")  # noqa: B009 - mypy knows that it is not there
