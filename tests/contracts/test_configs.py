"""The configurations that the repository carries load, and train by the real command."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rsmamba.cli.app import run
from rsmamba.config import load_config
from rsmamba.data import find_splits
from rsmamba.models.registry import describe_architecture
from rsmamba.train import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs" / "train").glob("*.yaml"))
SAMPLE = ROOT / "configs" / "train" / "sample_data.yaml"
SMALL = [
    "model.options={dim: 8, d_state: 1, block: vss, fusion: add}",
    "data.chip=32",
    "data.chips_per_epoch=2",
    "trainer.batch_size=2",
    "trainer.epochs=1",
    "trainer.threads=1",
    "trainer.device=cpu",
    "trainer.loggers={}",
]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The command says how much is logged; the next test shall not know."""
    root, package = logging.getLogger(), logging.getLogger("rsmamba")
    handlers, level = root.handlers[:], package.level
    yield
    root.handlers[:] = handlers
    package.setLevel(level)


def train(run_dir: Path, *changes: str, options: tuple[str, ...] = ()) -> int:
    """Run the command on the sample scene, with a network and chips that take a second."""
    places = [f"data.root={ROOT / 'sample_data'}", f"trainer.run_dir={run_dir}"]
    words = [word for change in (*SMALL, *places, *changes) for word in ("--set", change)]
    return run(["train", str(SAMPLE), *words, *options])


def test_there_are_configurations() -> None:
    assert SAMPLE in CONFIGS
    others = {path.suffix for path in (ROOT / "configs").rglob("*") if path.is_file()}
    assert others == {".yaml"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configurations_load_and_name_a_network(path: Path) -> None:
    config = load_config(path, TrainConfig)
    described = describe_architecture(config.model.name, **config.model.options)
    assert described.name == config.model.name
    assert config.trainer.run_dir.parts[0] == "runs"
    assert not config.data.root.is_absolute()


def test_every_encoder_family_has_a_configuration() -> None:
    names = {load_config(path, TrainConfig).model.name for path in CONFIGS}
    encoders = {name.partition("+")[0].partition("_")[0] for name in names}
    assert encoders == {"cvmh", "vmamba", "vssd", "groupmamba", "plainmamba", "vim", "vim2"}


@pytest.mark.parametrize(
    ("stem", "options"),
    [
        (
            "vssd_micro_vaihingen",
            "{encoder: {embed_dim: 16, depths: [1, 1, 1, 1]}, decoder: {channels: 32}}",
        ),
        ("geoseg_vaihingen", "{encoder: {dims: [16, 32, 64, 128], depths: [1, 1, 1, 1]}}"),
    ],
)
def test_recipes_train_a_step_on_a_lookalike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stem: str, options: str
) -> None:
    """Forward, backward and step, with a narrower network and smaller chips."""
    root = tmp_path / "v"
    words = ["--dataset", "vaihingen", "--size", "64", "--tiles", "4", "-q"]
    assert run(["data", "make-isprs", str(root), *words]) == 0
    changes = [
        f"data.root={root}",
        f"model.options={options}",
        f"trainer.run_dir={tmp_path / 'run'}",
        "data.chip=64",
        "data.chips_per_epoch=2",
        "trainer.batch_size=2",
        "trainer.epochs=1",
        "trainer.threads=1",
        "trainer.device=cpu",
        "trainer.loggers={}",
        "trainer.validation_tile=64",
        "trainer.validation_overlap=0",
    ]
    words = [word for change in changes for word in ("--set", change)]
    assert run(["train", str(ROOT / f"configs/train/{stem}.yaml"), *words, "--json", "-q"]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["mean_iou"] <= 1


def test_default_model_never_sees_its_test_tile(shared_data: Path) -> None:
    path = ROOT / "configs" / "train" / "cvmh_unet_small_dubai.yaml"
    root = f"data.root={shared_data / 'dubai_mbrsc'}"
    train_pairs, validation = find_splits(load_config(path, TrainConfig, overrides=[root]).data)
    tiles = [
        {pair.image.name.split("_")[0] for pair in pairs} for pairs in (train_pairs, validation)
    ]
    assert tiles == [{f"tile{i}" for i in (1, 2, 3, 4, 6, 7)}, {"tile5"}]


def test_command_trains_and_sums_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "run", options=("--json", "--quiet")) == 0
    output = capsys.readouterr()
    summary = json.loads(output.out)
    assert Path(summary["best_model"]).is_file()
    assert 0 <= summary["mean_iou"] <= summary["overall_accuracy"] <= 1
    assert output.err == ""


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ("data.root=nowhere", 1, "nowhere is not a folder; set data.root"),
        ("data.masks=elsewhere", 1, "elsewhere is not a folder"),
        ("data.mask_suffix=_classes", 1, "images have no label raster in"),
        ("data.train=[village]", 1, "no image in .* matches 'village'; there are"),
        ("data.classes={names: [a], colours: [[1, 2, 3]]}", 1, "holds the label 1 .*label_map"),
        ("data.bidx=[1, 2, 9]", 2, "there is no band 9: town_rgb.tif has bands 1 to 3"),
        ("data.clas=3", 2, "unknown key data.clas; did you mean classes?"),
        ("trainer.epochs=0", 2, "trainer: epochs is 0; give 1 or more"),
        ("trainer.epochs", 2, "cannot read the override 'trainer.epochs'"),
        ("trainer.device=abacus", 2, "trainer.device is 'abacus'"),
        ("model.name=cvmh", 2, "no network is called 'cvmh' .did you mean 'cvmh_unet'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: str,
    status: int,
    message: str,
) -> None:
    assert train(tmp_path / "run", change, options=("--quiet",)) == status
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("rsmamba: error: ")
    assert output.err.count("\n") == 1
    assert re.search(message, output.err)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"precious")
    assert train(tmp_path) == 2
    assert "already holds a run; continue it with trainer.resume=true" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_missing_packages_say_how_to_install_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("lightning", "albumentations"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            assert train(tmp_path / "run", options=("--quiet",)) == 1
        assert f"{package} is needed" in (error := capsys.readouterr().err)
        assert 'pip install "rsmamba[train]"' in error
    assert list(tmp_path.iterdir()) == []
