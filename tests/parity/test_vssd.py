"""VSSD against the official implementation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from rsmamba.errors import OptionError
from rsmamba.models.encoders.family import Part
from rsmamba.models.encoders.vssd import VARIANTS, Config, make_classifier, make_encoder
from rsmamba.models.encoders.vssd.encoder import VSSDEncoder
from rsmamba.models.options import config_from_options
from rsmamba.models.upstream.vssd import NEW_IN_ENCODER, config_from_official, rename

if TYPE_CHECKING:
    from tests.parity.conftest import CloseToGolden, Golden, LoadOfficial

INPUTS = ["", "sq.", "odd."]


@pytest.fixture
def case(golden: Callable[[str], Golden]) -> Golden:
    """The official network whose outputs are stored."""
    return golden("vssd_a")


@pytest.fixture
def encoder(case: Golden, load_official: LoadOfficial) -> VSSDEncoder:
    """The dense form with the official weights."""
    module = make_encoder(config_from_official(case.config), in_channels=3)
    weights = case.weights | case.extra_weights
    loaded = load_official(module, weights, partial(rename, part="encoder"))
    assert isinstance(loaded, VSSDEncoder)
    return loaded


# The official classifier cannot take the odd input.
@pytest.mark.parametrize("prefix", ["", "sq."])
def test_logits_equal_the_official_ones(
    case: Golden, prefix: str, load_official: LoadOfficial, assert_close_to_golden: CloseToGolden
) -> None:
    module = make_classifier(config_from_official(case.config), in_channels=3, num_classes=10)
    classifier = load_official(module, case.weights, partial(rename, part="classifier"))
    with torch.inference_mode():
        logits = classifier(case.image(prefix))
    assert_close_to_golden(logits, case.expected("logits", prefix=prefix))


@pytest.mark.parametrize("prefix", INPUTS)
def test_maps_equal_the_official_ones(
    case: Golden, prefix: str, encoder: VSSDEncoder, assert_close_to_golden: CloseToGolden
) -> None:
    stages: list[Tensor] = []
    for stage in encoder.layers:
        stage.register_forward_hook(lambda _, __, out: stages.append(out[0].permute(0, 3, 1, 2)))
    with torch.inference_mode():
        maps = encoder(case.image(prefix))
    for index in range(4):
        assert_close_to_golden(stages[index], case.expected(f"stage{index}", prefix=prefix))
        assert_close_to_golden(maps[index], case.expected(f"out{index}", prefix=prefix))


def test_maps_in_float32_are_as_close_as_the_official_ones(
    case: Golden, encoder: VSSDEncoder, assert_close_to_golden: CloseToGolden
) -> None:
    with torch.inference_mode():
        maps = encoder.float()(case.image().float())
    for index in range(4):
        assert_close_to_golden(maps[index], case.expected(f"out{index}"), 2e-5)


@pytest.mark.parametrize("name", ["vssd_tiny", "vssd_iccv_tiny"])
@pytest.mark.parametrize("part", ["classifier", "encoder"])
def test_every_official_key_finds_its_place(
    name: str, part: Part, official_keys: Callable[[str], dict[str, torch.Size]]
) -> None:
    config = config_from_options(Config, VARIANTS[name].options)
    with torch.device("meta"):
        encoder = make_encoder(config, in_channels=3)
        classifier = make_classifier(config, in_channels=3, num_classes=1000)
    module = encoder if part == "encoder" else classifier
    renamed = {rename(k, part=part): shape for k, shape in official_keys(f"keys_{name}").items()}
    renamed.pop(None, None)
    new = NEW_IN_ENCODER[0].partition("\\")[0]
    expected = {k: v.shape for k, v in module.state_dict().items() if not k.startswith(new)}
    assert renamed == expected


def test_official_arguments_of_the_tiny_network_give_the_published_variant() -> None:
    official = {
        "embed_dim": 64,
        "depths": [2, 4, 8, 4],
        "linear_attn_duality": True,
        "attn_types": ["mamba2", "mamba2", "mamba2", "standard"],
        "ssd_expand": 2,
    }
    assert config_from_official(official) == Config()


def test_official_flags_give_the_iccv_edition() -> None:
    flags = ("rmt_downsample", "rmt_patch_embed", "use_cpe", "ssd_linear_norm", "exp_da", "rope")
    official = {
        **dict.fromkeys(flags, True),
        "embed_dim": 96,
        "depths": [2, 2, 8, 2],
        "num_heads": [4, 4, 8, 16],
        "mlp_ratio": 3.0,
        "ssd_expansion": 1,
        "async_state": [12, 24, 48, 64],
        "linear_attn_duality": True,
        "attn_types": ["mamba2", "mamba2", "mamba2", "standard"],
    }
    expected = config_from_options(Config, VARIANTS["vssd_iccv_tiny"].options)
    assert config_from_official(official) == expected


def test_a_part_of_the_iccv_flags_is_refused() -> None:
    with pytest.raises(OptionError, match=r"all of .* or none; missing .*rope"):
        config_from_official({"exp_da": True, "depths": [1, 1, 1, 1]})
