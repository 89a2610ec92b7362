"""What every network of an encoder and a decoder promises."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

import rsmamba
from rsmamba.errors import OptionError
from rsmamba.models import SceneModel, create_model, describe_architecture

Small = tuple[str, dict[str, Any]]
DECODER_OPTIONS: dict[str, dict[str, Any]] = {
    "unet": {"dim": 8},
    "upernet": {"channels": 16},
    "light": {"channels": 16},
}
decoders = pytest.mark.parametrize("decoder", list(DECODER_OPTIONS))


def options_of(small_encoder: Small, decoder: str) -> tuple[str, dict[str, Any]]:
    """Give the name and the options of a small network."""
    name, options = small_encoder
    return f"{name}+{decoder}", {"encoder": options, "decoder": DECODER_OPTIONS[decoder]}


@decoders
def test_logits_have_the_size_of_the_image_and_train_every_parameter(
    small_encoder: Small, decoder: str
) -> None:
    name, options = options_of(small_encoder, decoder)
    network = create_model(name, num_classes=4, in_channels=5, **options).eval()
    logits = network(torch.randn(1, 5, 97, 131))
    assert logits.shape == (1, 4, 97, 131)
    logits.square().mean().backward()
    without = [key for key, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []


@decoders
def test_a_saved_network_loads_to_the_same_answers_and_predicts_a_scene(
    small_encoder: Small, decoder: str, tmp_path: Path
) -> None:
    name, options = options_of(small_encoder, decoder)
    architecture = describe_architecture(name, **options)
    network = create_model(name, num_classes=3, **architecture.options)
    model = SceneModel(
        network, classes=["a", "b", "c"], in_channels=3, architecture=architecture
    ).eval()
    rsmamba.save_model(model, tmp_path / "model.safetensors")
    loaded = rsmamba.load_model(tmp_path / "model.safetensors", device="cpu")
    pixels = torch.randn(1, 3, 40, 56)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(pixels), model(pixels), rtol=0, atol=0)
    write_scene(tmp_path / "scene.tif")
    rsmamba.predict(
        tmp_path / "scene.tif", tmp_path / "mask.tif", model=loaded, tile=64, overlap=16
    )
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.shape == (70, 90)
        assert mask.read(1).max() <= 2


def write_scene(path: Path) -> None:
    """Write a scene of 70 x 90 pixels of noise."""
    pixels = np.random.default_rng(0).integers(1, 255, (3, 70, 90)).astype(np.uint8)
    place = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 4_000_000)
    profile = {"count": 3, "height": 70, "width": 90, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", driver="GTiff", transform=place, **profile) as file:
        file.write(pixels)


@pytest.mark.parametrize("side", [1, 2, 33])
def test_tiny_images_are_scored(small_encoder: Small, side: int) -> None:
    name, options = options_of(small_encoder, "light")
    network = create_model(name, num_classes=2, **options).eval()
    with torch.no_grad():
        logits = network(torch.randn(1, 3, side, side + 1))
    assert logits.shape == (1, 2, side, side + 1)
    assert math.isfinite(float(logits.sum()))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("vssd_tiny", {}, r"vssd_tiny is an encoder; add a decoder: vssd_tiny\+light, \+unet"),
        ("vssd_tiny+net", {}, r"no decoder is called 'net' \(did you mean 'unet'\?\)"),
        ("vsd_tiny+unet", {}, "no encoder is called 'vsd_tiny'"),
        ("cvmh", {}, "no network is called 'cvmh'"),
        ("vssd_tiny+unet", {"dim": 8}, "unknown option 'dim' of vssd_tiny.unet; give options of"),
        ("vssd_tiny+unet", {"decoder": {"dim": 7}}, "dim is 7, depth 1 and detail 0; give a dim"),
        ("vssd_tiny+unet", {"encoder": {"d": 7}}, "unknown option 'd'"),
    ],
)
def test_wrong_names_and_options_are_told(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        create_model(name, num_classes=2, **options)
