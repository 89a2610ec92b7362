"""Model files from outside: what they may claim, and how the rest is refused."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from rsmamba import SceneModel, create_model, load_model, save_model
from rsmamba.errors import ModelFileError
from rsmamba.models.building import building_within
from rsmamba.models.model_header import read_header
from rsmamba.models.model_limits import LARGEST_HEADER_BYTES
from rsmamba.models.registry import Architecture, describe_architecture

Rewrite = Callable[..., Path]
TINY = {"dim": 4, "d_state": 1, "encoder_depths": [1] * 4, "decoder_depths": [1] * 4}


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model file."""
    architecture = describe_architecture("cvmh_unet_small", **TINY)
    network = create_model("cvmh_unet_small", num_classes=2, **architecture.options)
    model = SceneModel(network, classes=["a", "b"], in_channels=3, architecture=architecture)
    return save_model(model, tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def rewrite(tiny_file: Path, tmp_path: Path) -> Rewrite:
    """Write the small model file with other values in its header."""

    def write(**changes: Any) -> Path:  # noqa: ANN401 - any JSON
        with safe_open(tiny_file, framework="numpy") as file:
            values = json.loads(file.metadata()["rsmamba"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        options = changes.pop("options", {})
        values["architecture"]["options"].update(options)
        save_file(
            tensors, tmp_path / "a.safetensors", {"rsmamba": json.dumps({**values, **changes})}
        )
        return tmp_path / "a.safetensors"

    return write


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"options": {"dim": 10**9}}, r"an option of 1e\+09; the largest is 65,536"),
        ({"options": {"dim": float("nan")}}, r"an option of nan"),
        ({"options": {"encoder_depths": [6000] * 4}}, r"network far larger than its"),
        ({"options": {"dim": 60000}}, r"network far larger than its|can't allocate|not fit"),
        ({"options": {"dim": "wide"}}, r"does not fit this version of rsmamba"),
        ({"options": {"weights": "/etc/passwd"}}, r"unknown option 'weights'"),
        ({"in_channels": 10**7}, r"an option of 1e\+07"),
        ({"in_channels": -1}, r"must be at least 1|does not fit"),
        ({"input_multiple": 10**6}, r"input_multiple is 1000000; it may be 1 to 1024"),
        ({"input_dtype": "object"}, r"input_dtype is 'object'; it may be uint8"),
        ({"gsd_m": "far"}, r"could not convert string to float"),
        ({"mean": [float("inf")] * 3}, r"inf is not a finite number"),
        ({"name": "\x1b[2J"}, r"the name '\\x1b\[2J' is too long or has control characters"),
        ({"name": "x" * 300}, r"is too long or has control characters"),
        ({"band_names": ["a\nb", "c", "d"]}, r"is too long or has control characters"),
        ({"classes": {"names": ["a", "\x00"]}}, r"has control characters or more than 200"),
        ({"classes": []}, r"not a class scheme|list indices"),
        ({"format_version": "9"}, r"has model format 9"),
        ({"metadata": 3}, r"does not fit"),
    ],
)
def test_what_a_header_may_not_claim(rewrite: Rewrite, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ModelFileError, match=text):
        load_model(rewrite(**changes), device="cpu")


def test_too_many_options(rewrite: Rewrite) -> None:
    with pytest.raises(ModelFileError, match=r"more than 4,096 options"):
        read_header(rewrite(options={"dim": [[0] * 100] * 100}))


def test_paths_in_metadata_stay_text(rewrite: Rewrite, tmp_path: Path) -> None:
    path = rewrite(metadata={"data": "/vsizip/http://host/a.zip", "weights": "/etc/passwd"})
    assert load_model(path, device="cpu").metadata["weights"] == "/etc/passwd"
    assert [found.name for found in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("claimed", [2**63, LARGEST_HEADER_BYTES + 1, 100, 0])
def test_lying_header_lengths(tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", claimed) + b"{}" + b" " * 20)
    with pytest.raises(ModelFileError, match=rf"claims a header of {claimed:,} bytes and has 30"):
        read_header(path)


def test_huge_header(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", LARGEST_HEADER_BYTES + 1) + b"{")
        file.truncate(LARGEST_HEADER_BYTES + 100)
    with pytest.raises(ModelFileError, match=r"16,777,216 may be header"):
        read_header(path)


def test_lying_shapes(tmp_path: Path) -> None:
    header = {"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}}
    content = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(content)) + content + b"1234")
    with pytest.raises(ModelFileError, match=r"is not a readable model file"):
        read_header(tmp_path / "a.safetensors")


def test_deep_metadata(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    save_file({"a": np.zeros(1)}, tmp_path / "a.safetensors", {"rsmamba": deep})
    with pytest.raises(ModelFileError, match=r"is not a readable model file"):
        read_header(tmp_path / "a.safetensors")


def test_other_networks_are_not_counted(tiny_file: Path) -> None:
    with building_within(tiny_file, {}):
        nn.Linear(8, 8)
    nn.Linear(2**8, 2**8)
    with (
        pytest.raises(ModelFileError, match=r"far larger than its 0 weights \(at weight\)"),
        building_within(tiny_file, {}),
    ):
        nn.Linear(2**13, 2**14, device="meta")


def test_files_from_before_details_load_as_they_were(tmp_path: Path) -> None:
    spelt = describe_architecture("cvmh_unet_small", detail=0, dim=8, d_state=1)
    network = create_model("cvmh_unet_small", num_classes=2, **spelt.options)
    older = {name: value for name, value in spelt.options.items() if name != "detail"}
    model = SceneModel(
        network,
        classes=["a", "b"],
        in_channels=3,
        architecture=Architecture(name=spelt.name, options=older),
    )
    loaded = load_model(save_model(model, tmp_path / "old.safetensors"), device="cpu")
    assert loaded.architecture == spelt
