"""Official configurations, turned into options, with official weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch

from rsmamba.errors import OptionError
from rsmamba.models import create_classifier, create_encoder
from rsmamba.models.zoo import official_options

if TYPE_CHECKING:
    from tests.parity.conftest import CloseToGolden, Golden

CLASSIFIERS = {
    "vmamba_v0_a": "vmamba_tiny_v0",
    "vmamba_v2_a": "vmamba_tiny_s1l8",
    "vssd_a": "vssd_tiny",
    "groupmamba_a": "groupmamba_tiny",
    "plainmamba_a": "plainmamba_l1",
    "vim_a": "vim_tiny",
}


@pytest.mark.parametrize("stored", list(CLASSIFIERS))
def test_a_classifier_made_by_name_answers_like_the_official_one(
    stored: str, golden: "Callable[[str], Golden]", assert_close_to_golden: "CloseToGolden"
) -> None:
    case, name = golden(stored), CLASSIFIERS[stored]
    options = official_options(name, case.config)
    weights = {key: tensor.float() for key, tensor in case.weights.items()}
    classifier = create_classifier(name, num_classes=10, weights=weights, **options)
    with torch.no_grad():
        logits = classifier.double().eval()(case.image())
    assert_close_to_golden(logits, case.expected("logits"), 1e-5)


@pytest.mark.parametrize("name", ["vim_tiny", "groupmamba_tiny", "plainmamba_l1", "vssd_tiny"])
def test_an_unknown_official_argument_is_told(name: str) -> None:
    arguments: dict[str, Any] = {"no_such_argument": 1}
    with pytest.raises(OptionError, match="no_such_argument"):
        official_options(name, arguments)


def test_a_family_without_official_code_is_told() -> None:
    with pytest.raises(OptionError, match="no official code of mambamixer is released"):
        official_options("vim2_tiny", {})


def test_published_sizes_are_known_by_their_official_name() -> None:
    options = official_options("plainmamba_l1", {"arch": "L2"})
    assert options["embed_dims"] == 384
    assert create_encoder("plainmamba_l2", pyramid=False).out_channels == (384,) * 4
