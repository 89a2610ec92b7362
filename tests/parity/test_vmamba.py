"""VMamba against the official implementation, both releases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from rsmamba.models.encoders.family import Part
from rsmamba.models.encoders.vmamba import Config, make_classifier, make_encoder
from rsmamba.models.encoders.vmamba.network import VMambaEncoder
from rsmamba.models.options import config_from_options
from rsmamba.models.upstream.vmamba import (
    NEW_IN_ENCODER,
    adapt,
    config_from_official,
    cvmh_unet_state,
    rename,
)

if TYPE_CHECKING:
    from tests.parity.conftest import CloseToGolden, Golden, LoadOfficial

CASES = ["vmamba_v0_a", "vmamba_v2_a"]
INPUTS = ["", "sq.", "odd."]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, golden: Callable[[str], Golden]) -> Golden:
    """One official network."""
    return golden(request.param)


@pytest.fixture
def encoder(case: Golden, load_official: LoadOfficial) -> VMambaEncoder:
    """The dense form with the official weights of backbone and output norms."""
    module = make_encoder(config_from_official(case.config), in_channels=3)
    weights = case.weights | case.extra_weights
    loaded = load_official(module, weights, partial(rename, part="encoder"))
    assert isinstance(loaded, VMambaEncoder)
    return loaded


@pytest.mark.parametrize("prefix", INPUTS)
def test_logits_equal_the_official_ones(
    case: Golden, prefix: str, load_official: LoadOfficial, assert_close_to_golden: CloseToGolden
) -> None:
    classes = case.config["num_classes"]
    module = make_classifier(config_from_official(case.config), in_channels=3, num_classes=classes)
    classifier = load_official(module, case.weights, partial(rename, part="classifier"))
    with torch.inference_mode():
        logits = classifier(case.image(prefix))
    assert_close_to_golden(logits, case.expected("logits", prefix=prefix))


@pytest.mark.parametrize("prefix", INPUTS)
def test_maps_equal_the_official_ones(
    case: Golden,
    prefix: str,
    encoder: VMambaEncoder,
    assert_close_to_golden: CloseToGolden,
) -> None:
    stages: list[Tensor] = []
    for stage in encoder.stages:
        stage.register_forward_hook(lambda _, __, out: stages.append(out.permute(0, 3, 1, 2)))
    with torch.inference_mode():
        maps = encoder(case.image(prefix))
    for index in range(4):
        assert_close_to_golden(stages[index], case.expected(f"stage{index}", prefix=prefix))
        assert_close_to_golden(maps[index], case.expected(f"out{index}", prefix=prefix))


@pytest.mark.parametrize(
    ("keys", "config"),
    [
        (
            "keys_vmamba_v0_tiny",
            config_from_official(
                {
                    "forward_type": "v0",
                    "mlp_ratio": 0.0,
                    "downsample_version": "v1",
                    "patchembed_version": "v1",
                }
            ),
        ),
        ("keys_vmamba_v2_tiny", Config()),
    ],
)
@pytest.mark.parametrize("part", ["classifier", "encoder"])
def test_every_official_key_finds_its_place(
    keys: str,
    config: Config,
    part: Part,
    official_keys: Callable[[str], dict[str, torch.Size]],
) -> None:
    with torch.device("meta"):
        encoder = make_encoder(config, in_channels=3)
        classifier = make_classifier(config, in_channels=3, num_classes=1000)
    module = encoder if part == "encoder" else classifier
    renamed = {rename(key, part=part): shape for key, shape in official_keys(keys).items()}
    renamed.pop(None, None)
    new = tuple(NEW_IN_ENCODER[0].partition("\\")[:1])
    expected = {k: v.shape for k, v in module.state_dict().items() if not k.startswith(new)}
    assert renamed == expected


def test_both_generations_of_names_give_the_same(golden: Callable[[str], Golden]) -> None:
    new = golden("vmamba_v0_a").weights
    for key in new:
        old = (
            key.replace("patch_embed.0", "patch_embed.proj")
            .replace("patch_embed.2", "patch_embed.norm")
            .replace("classifier.", "")
        )
        if ".blocks." in key:
            old = old.replace(".norm.", ".ln_1.").replace(".op.", ".self_attention.")
        assert rename(old, part="classifier") == rename(key, part="classifier")


def test_linear_weights_stored_as_convolutions_are_flattened(
    golden: Callable[[str], Golden],
) -> None:
    case = golden("vmamba_v2_a")
    classifier = make_classifier(config_from_official(case.config), in_channels=3, num_classes=10)
    state = {str(rename(k, part="classifier")): v.float() for k, v in case.weights.items()}
    linear = ("in_proj.weight", "out_proj.weight", "fc1.weight", "fc2.weight")
    stored = {k: v[..., None, None] if k.endswith(linear) else v for k, v in state.items()}
    classifier.load_state_dict(adapt(stored, classifier))
    weight = classifier.get_parameter("stages.0.blocks.0.mlp.fc1.weight")
    torch.testing.assert_close(weight.detach(), state["stages.0.blocks.0.mlp.fc1.weight"])


def test_baseline_of_cvmh_unet_computes_what_vmamba_computes(
    golden: Callable[[str], Golden], assert_close_to_golden: CloseToGolden
) -> None:
    from rsmamba.models.cvmh_unet import CVMHUNet, CVMHUNetConfig

    case = golden("vmamba_v0_a")
    options = {
        "dim": 16,
        "encoder_depths": (1, 2, 2, 1),
        "block": "vss",
        "fusion": "add",
        "paths": "cross",
        "stage_residual": False,
    }
    config = config_from_options(CVMHUNetConfig, options)
    network = CVMHUNet(num_classes=2, config=config).double().eval()
    network.load_state_dict(cvmh_unet_state(case.weights, network))
    with torch.inference_mode():
        features = network.patch_embed(case.image())
        for level, stage in enumerate(network.encoder):
            features = network.mergings[level - 1](features) if level else features
            features = stage(features)
            # The norms of VM-UNet's blocks add 1e-6 to the variance, those of VMamba 1e-5.
            expected = case.expected(f"stage{level}")
            assert_close_to_golden(features.permute(0, 3, 1, 2), expected, 1e-4)
