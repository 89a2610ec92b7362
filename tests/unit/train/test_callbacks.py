"""The end of an epoch: which model file is written when, and what a broken write leaves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from torch import nn

from rsmamba.metrics import ConfusionMatrix
from rsmamba.models import SceneModel
from rsmamba.train import TrainConfig, fit
from rsmamba.train.checkpoints import write_whole


def matrix_of(right: int) -> ConfusionMatrix:
    """A matrix whose accuracy rises with `right`, 0 to 10."""
    matrix = ConfusionMatrix(3)
    matrix.counts += np.diag([right] * 3) + np.roll(np.diag([10 - right] * 3), 1, axis=0)
    return matrix


def test_best_is_the_first_of_the_highest(
    make_config: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs 2 and 3 tie: the file of epoch 2 stays."""
    scores = iter([3, 8, 8, 5])
    monkeypatch.setattr(
        "rsmamba.train.callbacks.validate", lambda *_, **__: matrix_of(next(scores))
    )
    written: list[str] = []

    def write(model: SceneModel, path: Path) -> None:
        written.append(path.name)
        save_file(model.network.state_dict(), path)

    result = fit(make_config(tmp_path, epochs=4), network=nn.Conv2d(3, 3, 1), write_model=write)
    last, best = ".last.safetensors.part", ".best.safetensors.part"
    assert written == [last, best, last, best, last, last]
    assert result.best.epoch == 2
    assert (result.best_model.name, result.last_model.name) == (last[1:-5], best[1:-5])[::-1]


def test_a_broken_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, lambda part: part.write_text("whole"))

    def broken(part: Path) -> None:
        part.write_text("ha")
        message = "disk full"
        raise OSError(message)

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, broken)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text(encoding="utf-8") == "whole"
