"""Starting a network from official weights, and converting them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from rsmamba.errors import ModelFileError, OptionError, OutputExistsError
from rsmamba.models import (
    SceneModel,
    create_classifier,
    create_encoder,
    create_model,
    describe_architecture,
    load_model,
    save_model,
)
from rsmamba.models.pretrained import start_from
from rsmamba.models.upstream.conversion import convert_checkpoint

SMALL: dict[str, Any] = {
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 2, 2, 4),
    "d_state": 8,
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An official checkpoint of a small VSSD for five classes; its names are ours."""
    torch.manual_seed(1)
    classifier = create_classifier("vssd_tiny", num_classes=5, **SMALL)
    path = tmp_path / "official.pth"
    torch.save({"model": classifier.state_dict(), "epoch": 3}, path)
    return path


def test_a_converted_file_gives_what_the_official_one_gives(
    checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "converted.safetensors"
    made = convert_checkpoint(checkpoint, "vssd_tiny", out=out, **SMALL)
    assert (made.num_classes, made.in_channels, made.source) == (5, 3, "official.pth")
    image = torch.randn(1, 3, 64, 64)
    answers = [
        create_classifier("vssd_tiny", num_classes=5, weights=path, **SMALL).eval()(image)
        for path in (checkpoint, out)
    ]
    assert torch.equal(*answers)
    with safe_open(out, framework="pt") as file:
        assert "rsmamba-encoder-weights" in file.metadata()["rsmamba"]


def test_conversion_never_replaces_a_file_unasked(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "there.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match="exists; give --overwrite or another --out"):
        convert_checkpoint(checkpoint, "vssd_tiny", out=out, **SMALL)
    assert out.read_bytes() == b"mine"
    convert_checkpoint(checkpoint, "vssd_tiny", out=out, overwrite=True, **SMALL)
    assert out.read_bytes() != b"mine"


def test_weights_of_another_size_are_refused_and_nothing_is_written(
    checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "converted.safetensors"
    with pytest.raises(ModelFileError, match="does not fit this vssd classifier: missing: "):
        convert_checkpoint(checkpoint, "vssd_tiny", out=out)
    assert not out.exists()


def test_a_converted_file_is_no_model_to_predict_with(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "converted.safetensors"
    convert_checkpoint(checkpoint, "vssd_tiny", out=out, **SMALL)
    with pytest.raises(ModelFileError, match="holds weights of the encoder vssd_tiny, which has"):
        load_model(out)


def test_a_network_starts_from_weights_of_its_encoder(checkpoint: Path) -> None:
    network = create_model("vssd_tiny+light", num_classes=2, in_channels=4, encoder=SMALL)
    start_from(network, "vssd_tiny+light", weights=str(checkpoint))
    encoder = create_encoder("vssd_tiny", in_channels=4, weights=checkpoint, **SMALL)
    own = network.get_submodule("encoder").state_dict()
    assert all(torch.equal(own[name], value) for name, value in encoder.state_dict().items())


def test_cvmh_unet_starts_from_the_first_release_of_vmamba() -> None:
    small: dict[str, Any] = {"dims": (8, 16, 32, 64), "depths": (2, 2, 2, 2)}
    official = create_classifier("vmamba_tiny_v0", num_classes=2, **small).state_dict()
    network = create_model("cvmh_unet", num_classes=3, dim=8, d_state=16)
    start_from(network, "cvmh_unet", weights=official)
    mixer = network.state_dict()["encoder.0.blocks.1.mixer.op.in_proj.weight"]
    assert any(torch.equal(mixer, value) for value in official.values())


def test_a_network_without_an_encoder_is_told() -> None:
    with pytest.raises(OptionError, match="has no encoder that official weights fit"):
        start_from(nn.Identity(), "custom", weights={"a": torch.zeros(1)})


def test_a_trained_model_starts_another_pruning_of_the_same_network(tmp_path: Path) -> None:
    options: dict[str, Any] = {"encoder": {"embed_dims": 16, "num_layers": 2, "out_indices": (1,)}}
    name, path = "plainmamba_l1+light", tmp_path / "trained.safetensors"
    network = create_model(name, num_classes=2, **options)
    architecture = describe_architecture(name, **options)
    model = SceneModel(network, classes="ab", in_channels=3, architecture=architecture)
    save_model(model, path)
    pruned = create_model(name, num_classes=2, **options, pruning={"layers": (1,), "ratio": 0.5})
    start_from(pruned, name, weights=str(path))
    started = pruned.state_dict()
    assert all(torch.equal(value, started[key]) for key, value in network.state_dict().items())
    with pytest.raises(ModelFileError, match="is a trained model of another network than plain"):
        start_from(create_model(name, num_classes=3, **options), name, weights=str(path))
