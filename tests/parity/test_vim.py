"""ViM against outputs and keys of the official code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from rsmamba.models.encoders import vim
from rsmamba.models.encoders.family import Part, family_of
from rsmamba.models.encoders.vim.network import VimClassifier
from rsmamba.models.upstream import vim as upstream
from rsmamba.models.upstream.reading import load_official

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.conftest import CloseToGolden, Golden

FAMILY = family_of(vim, upstream)
# The outputs were computed in float32; the stored case says that they are 4e-6 off.
TOLERANCE = 1e-5
# Arguments of the official classes that choose a kernel, or are arguments of the builders here.
NOT_OPTIONS = ("fused_add_norm", "num_classes", "in_chans")


def config_of(case: Golden) -> vim.Config:
    """Turn the official arguments into a configuration; their names are the same."""
    options = {name: value for name, value in case.config.items() if name not in NOT_OPTIONS}
    options["out_indices"] = tuple(options.get("out_indices", (0,)))
    return vim.Config(**options)


@pytest.fixture(scope="module")
def case(golden: Callable[[str], Golden]) -> Golden:
    """The official classifier."""
    return golden("vim_a")


@pytest.fixture(scope="module")
def classifier(case: Golden) -> VimClassifier:
    """The classifier with the official weights."""
    module = vim.make_classifier(config_of(case), in_channels=3, num_classes=10).double().eval()
    load_official(module, case.weights, family=FAMILY, part="classifier")
    return module


def test_states_of_every_block_equal_the_official_ones(
    classifier: VimClassifier, case: Golden, assert_close_to_golden: CloseToGolden
) -> None:
    backbone = classifier.backbone
    with torch.inference_mode():
        tokens, _ = backbone.embed(case.image())
        _, states = backbone.run(tokens, None, keep=range(4))
    assert len(states) == 4
    for index, state in states.items():
        assert state.residual is not None
        expected = case.tensors[f"features.hidden.{index}"]
        assert_close_to_golden(state.hidden, expected, TOLERANCE)
        expected = case.tensors[f"features.residual.{index}"]
        assert_close_to_golden(state.residual, expected, TOLERANCE)


def test_class_token_and_logits_equal_the_official_ones(
    classifier: VimClassifier, case: Golden, assert_close_to_golden: CloseToGolden
) -> None:
    read: list[torch.Tensor] = []
    hook = classifier.head.register_forward_hook(lambda *call: read.append(call[1][0]))
    with torch.inference_mode():
        logits = classifier(case.image())
    hook.remove()
    assert_close_to_golden(read[0], case.tensors["features.pre_head"], TOLERANCE)
    assert_close_to_golden(logits, case.tensors["logits"], TOLERANCE)


def test_float32_on_the_fast_backend_equals_the_official_logits(
    classifier: VimClassifier, case: Golden, assert_close_to_golden: CloseToGolden
) -> None:
    """Float64 takes the slow path; users take this one."""
    with torch.inference_mode():
        logits = classifier.float()(case.image().float())
    classifier.double()
    assert_close_to_golden(logits, case.tensors["logits"], 5e-5)


def test_maps_of_the_dense_form_equal_the_official_ones(
    golden: Callable[[str], Golden], assert_close_to_golden: CloseToGolden
) -> None:
    case = golden("vim_seg_tiny")
    encoder = vim.make_encoder(config_of(case), in_channels=3).double().eval()
    load_official(encoder, case.weights, family=FAMILY, part="encoder")
    with torch.inference_mode():
        maps = encoder(case.image())
    assert len(maps) == 4
    for index, features in enumerate(maps):
        assert_close_to_golden(features, case.tensors[f"features.{index}"], TOLERANCE)


@pytest.mark.parametrize("part", ["classifier", "encoder"])
def test_official_keys_fill_the_tiny_network(
    official_keys: Callable[[str], dict[str, torch.Size]], part: Part
) -> None:
    """Reading is strict, so nothing is missing, left over or of another shape."""
    keys = official_keys("keys_vim_tiny")
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    with torch.device("meta"):
        module = (
            vim.make_classifier(vim.Config(), in_channels=3, num_classes=1000)
            if part == "classifier"
            else vim.make_encoder(vim.Config(if_fpn=False), in_channels=3)
        )
    assert len(state) == 415
    load_official(module, state, family=FAMILY, part=part)
