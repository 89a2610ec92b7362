"""Two processes on one machine train what one does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import rsmamba
from rsmamba.cli.app import run
from rsmamba.data import EpochSampler
from rsmamba.train.curves import read_columns


def test_parts_of_a_batch_are_disjoint_and_together_the_batch() -> None:
    whole = list(EpochSampler(12, epoch=3, start=4, batch_size=4))
    parts = [
        list(EpochSampler(12, epoch=3, start=4, batch_size=4, part=part, parts=2))
        for part in (0, 1)
    ]
    assert parts == [[(3, 4), (3, 5), (3, 8), (3, 9)], [(3, 6), (3, 7), (3, 10), (3, 11)]]
    assert sorted(parts[0] + parts[1]) == whole
    assert len(EpochSampler(12, batch_size=4, part=1, parts=2)) == 6


def arguments(sample_data: Path, run_dir: Path, *, devices: int) -> list[str]:
    """What the command gets."""
    changes = [
        # Without batch norms, which see the part of each device by itself.
        "model.options={dim: 8, d_state: 1, block: vss, fusion: add, drop_path: 0.0, detail: 0}",
        f"data.root={sample_data}",
        "data.chip=32",
        "data.chips_per_epoch=12",
        # Where labels are ignored, the mean of two parts is not the mean of the whole.
        "data.augment={scale: [1.0, 1.0]}",
        "optimiser.ema_decay=0.5",
        "loss.dice=0.0",
        "trainer.batch_size=4",
        "trainer.epochs=1",
        "trainer.threads=1",
        "trainer.device=cpu",
        f"trainer.devices={devices}",
        "trainer.loggers={}",
        f"trainer.run_dir={run_dir}",
    ]
    words = [word for change in changes for word in ("--set", change)]
    config = sample_data.parent / "configs/train/sample_data.yaml"
    return ["train", str(config), *words]


@pytest.mark.slow
def test_two_processes_train_what_one_does(sample_data: Path, tmp_path: Path) -> None:
    """The command starts its second process itself, and one of them speaks."""
    program = Path(sys.executable).with_name("rsmamba")
    if not program.exists():
        pytest.skip("the command is not installed beside the interpreter")
    command = [str(program), *arguments(sample_data, tmp_path / "two", devices=2)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stderr.count("reading scenes"), done.stdout.count("best model")) == (1, 1)
    assert "Warning" not in done.stderr
    assert run([*arguments(sample_data, tmp_path / "one", devices=1), "-q"]) == 0
    two, one = (read_columns(tmp_path / name / "losses.csv") for name in ("two", "one"))
    assert np.allclose(two["loss"], one["loss"], atol=1e-5)
    assert two["learning_rate"].tolist() == one["learning_rate"].tolist()
    models = [rsmamba.load_model(tmp_path / n / "last.safetensors", "cpu") for n in ("two", "one")]
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
