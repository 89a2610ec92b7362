"""What goes wrong is one clear line, and nothing is left behind."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

from rsmamba import predict
from rsmamba.errors import (
    BandError,
    DeviceError,
    ModelFileError,
    NetworkError,
    OptionError,
    OutputError,
    OutputExistsError,
    RsmambaError,
    SceneError,
    ShapeError,
)
from rsmamba.geo.writer import RasterSink

Lab = Any


class BrokenNetwork(nn.Module):
    """Answers for zero pixels, and does something else for others."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer

    @override
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(len(pixels), 2, *pixels.shape[-2:])
        if not pixels.any():
            return scores
        if self.answer == "raise":
            message = "size 7 is not\ndivisible by 4"
            raise RuntimeError(message)
        if self.answer == "interrupt":
            raise KeyboardInterrupt
        return {"nan": scores * torch.nan, "shape": scores[:, :1]}[self.answer]


def broken_at_the_second_tile(lab: Lab, answer: str) -> dict[str, Any]:
    values = np.zeros((1, 40, 80), dtype=np.uint8)
    values[:, :, 60:] = 9
    model = lab.model(BrokenNetwork(answer), num_classes=2)
    return {"scene": lab.scene(values), "model": model, "tile": 40, "overlap": 0}


def engine_threads() -> list[str]:
    # The threads of the kernels live as long as the process.
    own = ("rsmamba-read", "rsmamba-write")
    return [thread.name for thread in threading.enumerate() if thread.name in own]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ("nan", NetworkError, "tile r0 c1 of scene.tif: the network returned NaN or infinity"),
        ("shape", ShapeError, r"tile r0 c1 of scene.tif: .* returned \(1, 1, 40, 40\)"),
        ("raise", RsmambaError, "the network failed: size 7 is not divisible by 4"),
        ("interrupt", KeyboardInterrupt, "^$"),
    ],
)
def test_a_failing_network_is_named_and_leaves_nothing(
    answer: str, error: type[BaseException], message: str, lab: Lab
) -> None:
    options = broken_at_the_second_tile(lab, answer)
    with pytest.raises(error, match=message):
        lab.predict(**options, probabilities="p.tif")
    assert [path.name for path in lab.folder.iterdir()] == ["scene.tif"]
    assert engine_threads() == []


def test_a_full_disk_stops_the_work_and_keeps_what_is_finished(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        message = "no room to write"
        raise OutputError(message)

    scene = lab.random_scene(300, 60)
    with monkeypatch.context() as patch:
        patch.setattr(RasterSink, "write", full)
        with pytest.raises(OutputError, match="no room to write"):
            lab.predict(scene, model=lab.value_model(), tile=20, overlap=0)
    assert engine_threads() == []
    result = lab.predict(scene, model=lab.value_model(), tile=20, overlap=0)
    assert (result.resumed_pixels, result.tiles_computed) == (18_000, 0)
    assert sorted(path.name for path in lab.folder.glob("[.m]*")) == ["map.tif", "map.tif.aux.xml"]


def test_a_damaged_scene_is_named_and_leaves_nothing(lab: Lab) -> None:
    scene = lab.random_scene(400, 300)
    scene.write_bytes(scene.read_bytes()[:60_000])
    with pytest.raises(SceneError, match=scene.name):
        lab.predict(scene, model=lab.value_model(), tile=64, overlap=0)
    assert list(lab.folder.iterdir()) == [scene]
    assert engine_threads() == []


def test_a_model_is_given_back_as_it_was(lab: Lab) -> None:
    model = lab.convolution_model().train()
    model.network[1].eval()
    lab.predict(lab.random_scene(20, 20), model=model)
    assert model.training
    assert model.network[0].training
    assert not model.network[1].training


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"out": "absent/map.tif"}, OutputError, "output folder .* does not exist"),
        ({"out": "scene.tif", "overwrite": True}, OutputError, "is also an input"),
        ({"out": "old.tif"}, OutputExistsError, "exists already"),
        ({"out": "map.png"}, OptionError, "ends in .png"),
        ({"probabilities": "map.tif"}, OptionError, r"same path \(map.tif, map.tif\)"),
        ({"bidx": (9,)}, BandError, "there is no band 9"),
        ({"tile": 32, "overlap": 32}, OptionError, "overlap 32 does not fit a tile of 32"),
        ({"device": "cuda:99"}, DeviceError, "cuda:99 is not available"),
        ({"model": "absent.safetensors"}, ModelFileError, "no model file at .*absent"),
        ({"scene": "absent.tif"}, SceneError, "does not exist"),
        ({"co": {"COMPRESS": "JPEG"}}, OptionError, "COMPRESS=JPEG is not allowed"),
        ({"mem_limit": 1000}, OptionError, "mem_limit 0 MiB is too little; give at least"),
        ({"window": (5, 5, 0, 3)}, OptionError, "width 0, height 3 is not a part of a scene"),
        ({"stretch": "1,2"}, OptionError, "stretch 1,2 needs a model with an input type"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    options: dict[str, Any], error: type[Exception], message: str, lab: Lab
) -> None:
    lab.scene(np.zeros((1, 40, 40), dtype=np.uint8))
    (lab.folder / "old.tif").write_text("old")
    model = lab.value_model()
    arguments = {"scene": "scene.tif", "out": "map.tif", "model": model, "device": "cpu"} | options
    for path in ("scene", "out", "probabilities"):
        if path in arguments:
            arguments[path] = lab.folder / arguments[path]
    with pytest.raises(error, match=message):
        predict(**arguments)
    assert sorted(path.name for path in lab.folder.iterdir()) == ["old.tif", "scene.tif"]


def test_overwriting_replaces_the_map(lab: Lab) -> None:
    scene = lab.scene(np.ones((1, 9, 9), dtype=np.uint8))
    Path(lab.folder / "map.tif").write_text("old")
    lab.predict(scene, model=lab.value_model(), overwrite=True)
    assert (lab.read("map.tif") == 1).all()
