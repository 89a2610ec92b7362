"""The scene model and its file."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rsmamba import ClassScheme, SceneModel, create_model, load_model, save_model
from rsmamba.errors import DeviceError, ModelFileError, OptionError, OutputError, ShapeError
from rsmamba.models import describe_architecture

OPTIONS = {"dim": 8, "d_state": 2}


@pytest.fixture
def model() -> SceneModel:
    """A small model with every field set."""
    torch.manual_seed(0)
    network = create_model("cvmh_unet", num_classes=2, in_channels=3, **OPTIONS)
    return SceneModel(
        network,
        classes=ClassScheme(names=("land", "water"), colours=((1, 2, 3), (4, 5, 6))),
        in_channels=3,
        mean=(10.0, 20.0, 30.0),
        std=(1.0, 2.0, 3.0),
        gsd_m=0.5,
        input_dtype="uint8",
        band_names=("red", "green", "blue"),
        name="tiny",
        architecture=describe_architecture("cvmh_unet", **OPTIONS),
        metadata={"licence": "CC0"},
    ).eval()


def test_pixels_are_normalised_and_masked_ones_are_the_mean() -> None:
    """(x - mean) / std where valid, 0 elsewhere."""
    model = SceneModel(
        nn.Identity(), classes=["a", "b"], in_channels=2, mean=(1.0, 2.0), std=(2.0, 4.0)
    )
    pixels = torch.full((1, 2, 1, 2), 10.0)
    scores = model(pixels, torch.tensor([[[True, False]]]))
    assert scores[0, :, 0].tolist() == [[4.5, 0.0], [2.0, 0.0]]


def test_without_mean_pixels_reach_the_network_unchanged() -> None:
    """Any module can be wrapped."""
    model = SceneModel(nn.Identity(), classes=["a", "b"], in_channels=2)
    pixels = torch.rand(1, 2, 3, 4)
    assert torch.equal(model(pixels), pixels)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (8, 8), (9, 3)])
def test_input_is_padded_at_the_end_and_cropped(size: tuple[int, int]) -> None:
    """The network meets a multiple of 8; the answer has the input's size."""
    seen: list[tuple[int, ...]] = []

    class Spy(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(image.shape[-2:]))
            return image

    model = SceneModel(Spy(), classes=["a"], in_channels=1, input_multiple=8)
    pixels = torch.rand(1, 1, *size)
    assert torch.equal(model(pixels), pixels)
    assert all(side % 8 == 0 for side in seen[0])


def test_file_round_trip_gives_the_same_answer(model: SceneModel, tmp_path: Path) -> None:
    """Weights and header survive."""
    loaded = load_model(save_model(model, tmp_path / "m.safetensors"), device="cpu")
    pixels = torch.randint(0, 255, (1, 3, 40, 50)).float()
    with torch.inference_mode():
        assert torch.equal(loaded(pixels), model(pixels))
    assert loaded.header() == model.header()
    assert loaded.fingerprint() == model.fingerprint()


def test_half_file_is_about_half_as_large(model: SceneModel, tmp_path: Path) -> None:
    """And loads as float32."""
    full = save_model(model, tmp_path / "full.safetensors")
    half = save_model(model, tmp_path / "half.safetensors", half=True)
    assert half.stat().st_size < 0.7 * full.stat().st_size
    assert {value.dtype for value in load_model(half, "cpu").parameters()} == {torch.float32}


def test_fingerprint_follows_the_weights(model: SceneModel) -> None:
    """One changed weight changes it."""
    before = model.fingerprint()
    with torch.no_grad():
        next(model.network.parameters())[0] += 1
    assert model.fingerprint() != before


def test_model_file_keeps_all_options(model: SceneModel, tmp_path: Path) -> None:
    """A change of defaults does not change what an old file builds."""
    loaded = load_model(save_model(model, tmp_path / "m.safetensors"), "cpu")
    assert loaded.architecture is not None
    assert {"paths", "dct_size", "local", "skip"} <= set(loaded.architecture.options)


def test_custom_network_cannot_be_saved(tmp_path: Path) -> None:
    """It could not be built again."""
    with pytest.raises(OptionError, match="not in the registry"):
        save_model(SceneModel(nn.Identity(), classes=["a"], in_channels=1), tmp_path / "m")


def test_unwritable_place_is_named(model: SceneModel, tmp_path: Path) -> None:
    """The message names the file and the reason."""
    with pytest.raises(OutputError, match=r"cannot write model file .*No such file"):
        save_model(model, tmp_path / "absent" / "m.safetensors")


def test_missing_file_is_named(tmp_path: Path) -> None:
    """And the bundled models are listed."""
    with pytest.raises(ModelFileError, match=r"no model file at .*bundled models: default"):
        load_model(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x10\0\0\0\0\0\0\0{}"])
def test_corrupted_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever is in it."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a readable model file"):
        load_model(path)


def test_truncated_file_is_refused(model: SceneModel, tmp_path: Path) -> None:
    """A download that broke off."""
    path = save_model(model, tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="not a readable model file"):
        load_model(path)


def test_any_length_of_the_header_is_read(model: SceneModel, tmp_path: Path) -> None:
    """The file starts with that length, and some lengths begin like a pickle."""
    path = tmp_path / "model.safetensors"
    for padding in range(0, 256, 8):
        model.metadata = {"remark": "x" * padding}
        save_model(model, path)
        if path.read_bytes()[0] == 0x80:
            assert load_model(path, device="cpu").metadata == model.metadata
            return
    pytest.fail("no file began with that length")


def test_pickle_is_never_loaded(tmp_path: Path) -> None:
    """Neither a plain one nor one of torch."""
    plain, zipped = tmp_path / "a.pth", tmp_path / "b.pth"
    plain.write_bytes(pickle.dumps({"a": 1}))
    torch.save({"a": 1}, zipped)
    for path in (plain, zipped):
        with pytest.raises(ModelFileError, match="pickled checkpoint, which can run code"):
            load_model(path)


def test_safetensors_without_our_header_is_refused(tmp_path: Path) -> None:
    """Another program's file."""
    path = tmp_path / "m.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ModelFileError, match="without the header of an rsmamba model"):
        load_model(path)


def test_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    """The message says to upgrade."""
    path = tmp_path / "m.safetensors"
    header = json.dumps({"format": "rsmamba-model", "format_version": 99})
    save_file({"w": torch.zeros(2)}, path, metadata={"rsmamba": header})
    with pytest.raises(ModelFileError, match=r"format 99.*upgrade rsmamba"):
        load_model(path)


def test_header_that_does_not_fit_is_one_line(model: SceneModel, tmp_path: Path) -> None:
    """The weights of another network, say."""
    model.architecture = describe_architecture("cvmh_unet", dim=12)
    path = save_model(model, tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match=r"does not fit this version") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:7", "gpu"])
def test_missing_device_is_named(device: str, model: SceneModel, tmp_path: Path) -> None:
    """No silent fall back to the CPU."""
    path = save_model(model, tmp_path / "m.safetensors")
    with pytest.raises(DeviceError, match=r"device"):
        load_model(path, device=device)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels is 0"),
        ({"mean": (1.0,)}, "mean and std normalise the input together"),
        ({"mean": (1.0, 2.0), "std": (1.0, 2.0)}, "mean has 2 values for 1 bands"),
        ({"mean": (1.0,), "std": (0.0,)}, "every value must be positive"),
        ({"input_multiple": 0}, "input_multiple 0"),
        ({"gsd_m": -1.0}, "gsd_m -1.0 must be positive"),
        ({"band_names": ("a", "b")}, "band_names has 2 values"),
    ],
)
def test_contradictions_are_refused(arguments: dict[str, object], message: str) -> None:
    """When the model is made, not when it is used."""
    values: dict[str, object] = {"classes": ["a"], "in_channels": 1, **arguments}
    with pytest.raises(OptionError, match=message):
        SceneModel(nn.Identity(), **values)  # type: ignore[arg-type]  # wrong on purpose


def test_wrong_bands_are_named() -> None:
    """The message says what the model takes."""
    model = SceneModel(nn.Identity(), classes=["a"], in_channels=3)
    with pytest.raises(ShapeError, match=r"takes \(batch, 3, height, width\)"):
        model(torch.zeros(1, 4, 8, 8))


def test_network_with_another_number_of_classes_is_named() -> None:
    """The message says what it must return."""
    model = SceneModel(nn.Identity(), classes=["a", "b"], in_channels=3)
    with pytest.raises(ShapeError, match=r"it must return \(batch, 2, height, width\)"):
        model(torch.zeros(1, 3, 8, 8))
