"""Reading official checkpoints."""

import argparse
import collections
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rsmamba.errors import ModelFileError
from rsmamba.models.encoders.family import Family, Part
from rsmamba.models.upstream.reading import load_official, read_checkpoint


def rename(key: str, *, part: Part) -> str | None:
    """Names of a tiny family: one convolution, and a head that only classifiers have."""
    if key.startswith("head.") and part == "encoder":
        return None
    return key.replace("stem.proj", "stem")


TINY = Family(
    name="tiny",
    config=dict,
    variants={},
    make_encoder=lambda: None,  # type: ignore[arg-type, return-value]
    make_classifier=nn.Module,
    paper_flops=float,
    rename=rename,
    new_in_encoder=(r"norms\.",),
)


def encoder(in_channels: int = 3) -> nn.Module:
    """Build the tiny family's encoder."""
    return nn.ModuleDict(
        {"stem": nn.Conv2d(in_channels, 4, 2), "norms": nn.ModuleList([nn.LayerNorm(4)])}
    )


def official(prefix: str = "") -> dict[str, torch.Tensor]:
    """Make official weights of the tiny family."""
    return {
        f"{prefix}stem.proj.weight": torch.randn(4, 3, 2, 2),
        f"{prefix}stem.proj.bias": torch.randn(4),
        f"{prefix}head.weight": torch.randn(10, 4),
    }


def test_averaged_weights_are_preferred_and_prefixes_removed(tmp_path: Path) -> None:
    averaged = official("module.backbone.")
    arguments = argparse.Namespace(lr=0.1)
    torch.save({"model": official(), "model_ema": averaged, "args": arguments}, tmp_path / "a.pth")
    state = read_checkpoint(tmp_path / "a.pth")
    assert state.keys() == official().keys()
    wanted = averaged["module.backbone.head.weight"]
    assert torch.equal(state["head.weight"], wanted)


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_a_named_wrapper_is_taken(tmp_path: Path, wrapper: str) -> None:
    content = {"model_ema": official(), "model": official(), "state_dict": official()}
    torch.save(content, tmp_path / "a.pth")
    state = read_checkpoint(tmp_path / "a.pth", wrapper=wrapper)
    assert torch.equal(state["stem.proj.bias"], content[wrapper]["stem.proj.bias"])


def test_a_flat_file_is_read_in_both_formats(tmp_path: Path) -> None:
    weights = official()
    torch.save(collections.OrderedDict(weights), tmp_path / "a.pth")
    save_file(weights, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        state = read_checkpoint(tmp_path / name)
        assert all(torch.equal(state[key], value) for key, value in weights.items())


class Config(dict[str, Any]):
    """A class of its own, as configuration libraries have."""


def test_python_objects_are_refused_with_the_way_to_convert(tmp_path: Path) -> None:
    torch.save({"model": official(), "config": Config(a=1)}, tmp_path / "a.pth")
    with pytest.raises(ModelFileError, match="could run code when read; if you trust it, convert"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not a readable checkpoint"),
        (b"junk of no kind", r"is not a readable checkpoint \(no file that torch wrote\)"),
    ],
)
def test_broken_files_give_one_line(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(ModelFileError, match=text):
        read_checkpoint(tmp_path / "a.pth")


def test_missing_files_and_wrappers_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no checkpoint at .*b\.pth; give a \.pth"):
        read_checkpoint(tmp_path / "b.pth")
    torch.save({"model": official(), "epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(ModelFileError, match="no weights under 'ema'; its keys are model, epoch"):
        read_checkpoint(tmp_path / "a.pth", wrapper="ema")
    torch.save({"epoch": 3}, tmp_path / "c.pth")
    with pytest.raises(ModelFileError, match="holds no weights; its keys are epoch"):
        read_checkpoint(tmp_path / "c.pth")


def test_an_encoder_takes_a_classifier_without_its_head() -> None:
    module, weights = encoder(), official()
    load_official(module, weights, family=TINY, part="encoder")
    assert torch.equal(module.state_dict()["stem.weight"], weights["stem.proj.weight"])


def test_every_key_that_does_not_fit_is_named() -> None:
    weights = {"stem.proj.bias": torch.zeros(5), "extra": torch.zeros(1)}
    text = (
        "does not fit this tiny encoder: missing: stem.weight; not expected: extra; "
        "of another shape: stem.bias (5,) instead of (4,)"
    )
    with pytest.raises(ModelFileError, match=re.escape(text)):
        load_official(encoder(), weights, family=TINY, part="encoder")


@pytest.mark.parametrize("bands", [2, 4, 6])
def test_other_numbers_of_bands_repeat_the_weights_of_three(bands: int) -> None:
    weights, module = official(), encoder(bands)
    load_official(module, weights, family=TINY, part="encoder")
    repeated = weights["stem.proj.weight"].repeat(1, 2, 1, 1)[:, :bands]
    torch.testing.assert_close(module.state_dict()["stem.weight"], repeated * 3 / bands)


def test_one_band_answers_like_three_equal_ones() -> None:
    weights = official()
    answers = []
    for bands in (1, 3):
        module = encoder(bands)
        load_official(module, weights, family=TINY, part="encoder")
        answers.append(module.get_submodule("stem")(torch.ones(1, bands, 4, 4)))
    torch.testing.assert_close(*answers)


def test_a_family_without_released_weights_says_so() -> None:
    nameless = Family(**{**{f: getattr(TINY, f) for f in Family.__slots__}, "rename": None})
    with pytest.raises(ModelFileError, match="no official weights of tiny are released"):
        load_official(encoder(), official(), family=nameless, part="encoder")
