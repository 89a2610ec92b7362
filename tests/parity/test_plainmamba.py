"""PlainMamba against outputs and keys of the official code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from rsmamba.models.encoders import plainmamba
from rsmamba.models.encoders.family import Part, family_of
from rsmamba.models.encoders.plainmamba.network import PlainMambaClassifier, PlainMambaEncoder
from rsmamba.models.upstream import plainmamba as upstream
from rsmamba.models.upstream.reading import load_official

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.conftest import CloseToGolden, Golden

FAMILY = family_of(plainmamba, upstream)
# The outputs were computed in float32; the stored case says that they are about 1e-5 off.
TOLERANCE = 1e-5
# Grids of 4x4, 4x7 and 5x7 tokens; the last two need the position embedding resized.
SUFFIXES = ("", ".b", ".c")


@pytest.fixture(scope="module")
def case(golden: Callable[[str], Golden]) -> Golden:
    """The official case."""
    return golden("plainmamba_a")


@pytest.fixture(scope="module")
def config(case: Golden) -> plainmamba.Config:
    """The configuration of the case."""
    backbone = case.config["backbone"]
    mixer = backbone["layer_cfgs"]["mamba_cfg"]
    names = "img_size patch_size embed_dims num_layers num_convs_patch_embed drop_path_rate"
    return plainmamba.Config(
        **{name: backbone[name] for name in [*names.split(), "final_norm"]},
        **{name: mixer[name] for name in ("d_state", "expand", "conv_size", "conv_bias", "bias")},
        layers_with_dwconv=tuple(backbone["layers_with_dwconv"]),
        use_rms_norm=backbone["layer_cfgs"]["use_rms_norm"],
        out_indices=tuple(backbone["out_indices"]),
        pyramid=False,
    )


@pytest.fixture(scope="module")
def classifier(case: Golden, config: plainmamba.Config) -> PlainMambaClassifier:
    """The classifier with the official weights."""
    module = plainmamba.make_classifier(config, in_channels=3, num_classes=10).double().eval()
    load_official(module, case.weights, family=FAMILY, part="classifier")
    return module


@pytest.fixture(scope="module")
def encoder(case: Golden, config: plainmamba.Config) -> PlainMambaEncoder:
    """The dense form with the official weights."""
    module = plainmamba.make_encoder(config, in_channels=3).double().eval()
    load_official(module, case.weights, family=FAMILY, part="encoder")
    return module


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_maps_equal_the_official_ones(
    encoder: PlainMambaEncoder, case: Golden, assert_close_to_golden: CloseToGolden, suffix: str
) -> None:
    with torch.inference_mode():
        maps = encoder(case.tensors[f"input{suffix}"])
    assert len(maps) == 4
    for index, features in enumerate(maps):
        assert_close_to_golden(features, case.tensors[f"features{suffix}.{index}"], TOLERANCE)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tokens_and_logits_equal_the_official_ones(
    classifier: PlainMambaClassifier,
    case: Golden,
    assert_close_to_golden: CloseToGolden,
    suffix: str,
) -> None:
    tokens: list[torch.Tensor] = []
    hook = classifier.backbone.ln1.register_forward_hook(lambda *call: tokens.append(call[2]))
    with torch.inference_mode():
        logits = classifier(case.tensors[f"input{suffix}"])
    hook.remove()
    assert_close_to_golden(tokens[0], case.tensors[f"tokens{suffix}"], TOLERANCE)
    assert_close_to_golden(logits, case.tensors[f"logits{suffix}"], TOLERANCE)


def test_float32_on_the_fast_backend_equals_the_official_logits(
    classifier: PlainMambaClassifier, case: Golden, assert_close_to_golden: CloseToGolden
) -> None:
    """Float64 takes the slow path; users take this one."""
    with torch.inference_mode():
        logits = classifier.float()(case.tensors["input.c"].float())
    classifier.double()
    assert_close_to_golden(logits, case.tensors["logits.c"], 5e-5)


@pytest.mark.parametrize("part", ["classifier", "encoder"])
def test_official_keys_fill_the_l1_network(
    official_keys: Callable[[str], dict[str, torch.Size]], part: Part
) -> None:
    """Reading is strict, so nothing is missing, left over or of another shape."""
    keys = official_keys("keys_plainmamba_l1")
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    with torch.device("meta"):
        module = (
            plainmamba.make_classifier(plainmamba.Config(), in_channels=3, num_classes=1000)
            if part == "classifier"
            else plainmamba.make_encoder(plainmamba.Config(pyramid=False), in_channels=3)
        )
    assert len(state) == 361
    load_official(module, state, family=FAMILY, part=part)
