"""GroupMamba against outputs and keys of the official code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from rsmamba.errors import ModelFileError
from rsmamba.models.encoders import groupmamba
from rsmamba.models.encoders.family import Part, family_of
from rsmamba.models.encoders.groupmamba.network import GroupMambaClassifier, GroupMambaEncoder
from rsmamba.models.upstream import groupmamba as upstream
from rsmamba.models.upstream.reading import load_official

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.conftest import CloseToGolden, Golden

FAMILY = family_of(groupmamba, upstream)
# The stored weights and outputs are rounded to float32, about 6e-8 relative.
TOLERANCE = 1e-6
PREFIXES = ("", "sq.", "odd.")


@pytest.fixture(scope="module")
def case(golden: Callable[[str], Golden]) -> Golden:
    """The official case."""
    return golden("groupmamba_a")


@pytest.fixture(scope="module")
def config(case: Golden) -> groupmamba.Config:
    """The configuration of the case."""
    return groupmamba.Config(
        stem_hidden_dim=case.config["stem_hidden_dim"],
        embed_dims=tuple(case.config["embed_dims"]),
        depths=tuple(case.config["depths"]),
        mlp_ratios=tuple(case.config["mlp_ratios"]),
        drop_path=case.config["drop_path_rate"],
        distillation=case.config["distillation"],
    )


@pytest.fixture(scope="module")
def classifier(case: Golden, config: groupmamba.Config) -> GroupMambaClassifier:
    """The classifier with the official weights."""
    module = groupmamba.make_classifier(config, in_channels=3, num_classes=10).double().eval()
    load_official(module, case.weights, family=FAMILY, part="classifier")
    return module


@pytest.fixture(scope="module")
def encoder(case: Golden, config: groupmamba.Config) -> GroupMambaEncoder:
    """The dense form with the official weights."""
    module = groupmamba.make_encoder(config, in_channels=3).double().eval()
    load_official(module, case.weights, family=FAMILY, part="encoder")
    return module


@pytest.mark.parametrize("prefix", PREFIXES)
def test_maps_equal_the_official_ones(
    encoder: GroupMambaEncoder, case: Golden, assert_close_to_golden: CloseToGolden, prefix: str
) -> None:
    """Before and behind the norm of every stage."""
    mixed: list[torch.Tensor] = []
    hooks = [
        stage.get_submodule("blocks").register_forward_hook(lambda *call: mixed.append(call[2]))
        for stage in encoder.stages
    ]
    with torch.inference_mode():
        maps = encoder(case.image(prefix))
    for hook in hooks:
        hook.remove()
    for index, (before, behind) in enumerate(zip(mixed, maps, strict=True)):
        expected = case.expected(f"stage{index}", prefix=prefix)
        assert_close_to_golden(before.permute(0, 3, 1, 2), expected, TOLERANCE)
        assert_close_to_golden(behind, case.expected(f"out{index}", prefix=prefix), TOLERANCE)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_logits_equal_the_official_ones(
    classifier: GroupMambaClassifier,
    case: Golden,
    assert_close_to_golden: CloseToGolden,
    prefix: str,
) -> None:
    """What the heads see, each head, and their mean."""
    assert classifier.dist_head is not None
    with torch.inference_mode():
        pooled = classifier.pool(case.image(prefix))
        logits = classifier(case.image(prefix))
        outputs = {
            "pooled": pooled,
            "head_logits": classifier.head(pooled),
            "dist_logits": classifier.dist_head(pooled),
            "logits": logits,
        }
    for name, output in outputs.items():
        assert_close_to_golden(output, case.expected(name, prefix=prefix), TOLERANCE)


def test_training_returns_both_heads(
    config: groupmamba.Config, case: Golden, assert_close_to_golden: CloseToGolden
) -> None:
    """BatchNorm and drop path stay as in evaluation, so that the stored logits are the target."""
    module = groupmamba.make_classifier(config, in_channels=3, num_classes=10).double().eval()
    load_official(module, case.weights, family=FAMILY, part="classifier")
    module.training = True
    head, distilled = module(case.image())
    assert_close_to_golden(head, case.expected("head_logits"), TOLERANCE)
    assert_close_to_golden(distilled, case.expected("dist_logits"), TOLERANCE)


@pytest.mark.parametrize("part", ["classifier", "encoder"])
def test_official_keys_fill_the_tiny_network(
    official_keys: Callable[[str], dict[str, torch.Size]], part: Part
) -> None:
    """Reading is strict, so nothing is missing, left over or of another shape."""
    config = groupmamba.Config()
    keys = official_keys("keys_groupmamba_tiny")
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    with torch.device("meta"):
        module = (
            groupmamba.make_classifier(config, in_channels=3, num_classes=1000)
            if part == "classifier"
            else groupmamba.make_encoder(config, in_channels=3)
        )
    assert len(state) == 1266
    load_official(module, state, family=FAMILY, part=part)


def test_a_missing_group_is_named(case: Golden, config: groupmamba.Config) -> None:
    """Three groups are no mixer."""
    weights = dict(case.weights)
    del weights["block2.0.attn.mamba_g3.A_logs"]
    module = groupmamba.make_encoder(config, in_channels=3)
    with pytest.raises(ModelFileError, match=r"missing: stages\.1\.blocks\.0\.mixer\.scan\.A_logs"):
        load_official(module, weights, family=FAMILY, part="encoder")


def test_the_second_head_may_stay_unread(case: Golden) -> None:
    """A classifier with one head answers with that head alone."""
    config = groupmamba.Config(
        stem_hidden_dim=8,
        embed_dims=(16, 32, 68, 80),
        depths=(1, 1, 2, 1),
        mlp_ratios=(4, 4, 2, 2),
        distillation=False,
    )
    module = groupmamba.make_classifier(config, in_channels=3, num_classes=10).double().eval()
    load_official(module, case.weights, family=FAMILY, part="classifier")
    with torch.inference_mode():
        logits = module(case.image("sq."))
    torch.testing.assert_close(logits, case.expected("head_logits", prefix="sq."))
