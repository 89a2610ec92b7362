"""Freezing, factors of the learning rate and groups, by the names of real networks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from rsmamba.errors import OptionError
from rsmamba.models.registry import create_model
from rsmamba.train import OptimiserConfig
from rsmamba.train.parameters import freeze, learning_rate_factors, parameter_groups

TINY: dict[str, Any] = {
    "dim": 8,
    "d_state": 1,
    "encoder_depths": [1, 2, 1, 1],
    "decoder_depths": [1] * 4,
}
ENCODERS: dict[str, dict[str, Any]] = {
    "vmamba_tiny_s1l8": {"dims": [8, 16, 24, 32], "depths": [1, 2, 1, 1]},
    "vssd_tiny": {},
    "groupmamba_tiny": {},
    "plainmamba_l1": {},
    "vim_tiny": {},
    "vim2_tiny": {},
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return create_model("cvmh_unet", num_classes=2, **TINY)


def a_norm_net() -> nn.Sequential:
    """Names: encoder.0 (convolution), encoder.1 (batch norm), encoder.2 (dropout), head."""
    encoder = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout())
    network = nn.Sequential()
    network.add_module("encoder", encoder)
    network.add_module("head", nn.Conv2d(2, 2, 1))
    return network


def test_a_factor_holds_for_all_below_a_name(network: nn.Module) -> None:
    config = OptimiserConfig(factors={"encoder.1": 0.5, "encoder": 0.1, "*.bias": 2.0})
    for name, factor in learning_rate_factors(network, config).items():
        expected = 2.0 if name.endswith(".bias") else 1.0
        expected = 0.1 if name.startswith("encoder.") else expected
        expected = 0.5 if name.startswith("encoder.1.") else expected
        assert factor == expected, name


def test_without_factors_the_groups_are_two(network: nn.Module) -> None:
    factors = learning_rate_factors(network, OptimiserConfig())
    decayed, free = parameter_groups(network, 0.1, factors)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    assert (decayed["factor"], free["factor"]) == (1.0, 1.0)


def test_groups_hold_each_trained_parameter_once(network: nn.Module) -> None:
    config = OptimiserConfig(factors={"encoder": 0.1}, layer_decay=0.5)
    groups = parameter_groups(network, 0.1, learning_rate_factors(network, config))
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in network.parameters())
    shares = [group["factor"] for group in groups]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)


def test_layer_decay_falls_from_block_to_block(network: nn.Module) -> None:
    factors = learning_rate_factors(network, OptimiserConfig(layer_decay=0.5))
    for start, depth in {
        "patch_embed.": 6, "encoder.0.blocks.0.": 5, "mergings.0.": 5, "encoder.1.blocks.0.": 4,
        "encoder.1.blocks.1.": 3, "encoder.2.blocks.0.": 2, "encoder.3.": 1, "decoder.": 0,
        "head.": 0, "fusions.": 0,
    }.items():  # fmt: skip
        found = {factor for name, factor in factors.items() if name.startswith(start)}
        assert found == {0.5**depth}, start


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_every_family_names_its_blocks(encoder: str) -> None:
    options: dict[str, Any] = {"encoder": ENCODERS[encoder]}
    with torch.device("meta"):
        network = create_model(f"{encoder}+light", num_classes=2, **options)
    factors = learning_rate_factors(network, OptimiserConfig(layer_decay=0.9))
    of_encoder = [f for name, f in factors.items() if name.startswith("encoder.")]
    assert len(set(of_encoder)) >= 5
    assert max(of_encoder) <= 1
    assert of_encoder[0] == min(of_encoder)
    assert {f for name, f in factors.items() if name.startswith("decoder.")} == {1.0}


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda net: learning_rate_factors(net, OptimiserConfig(factors={"encodr": 0.1})),
            r"optimiser.factors has the pattern 'encodr', .*did you mean 'encoder'.*; their names",
        ),
        (
            lambda net: freeze(net, ["backbone.*"]),
            r"optimiser.frozen has the pattern 'backbone.\*', which matches no parameter",
        ),
        (lambda net: freeze(net, ["*"]), r"which leaves nothing to train; freeze less"),
        (
            lambda net: learning_rate_factors(net.head, OptimiserConfig(layer_decay=0.9)),
            r"optimiser.layer_decay needs an encoder whose stages .*; use optimiser.factors",
        ),
    ],
)
def test_what_fits_nothing_is_refused(call: Callable[[nn.Module], object], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        call(a_norm_net())


def test_frozen_parts_are_not_trained_and_stay_as_in_use() -> None:
    network = a_norm_net()
    still = freeze(network, ["encoder"])
    assert {name for name, p in network.named_parameters() if p.requires_grad} == {
        "head.weight", "head.bias",
    }  # fmt: skip
    assert [type(module) for module in still] == [
        nn.Sequential, nn.Conv2d, nn.BatchNorm2d, nn.Dropout,
    ]  # fmt: skip


def test_norms_frozen_by_their_weights_stay_as_in_use() -> None:
    network = a_norm_net()
    assert freeze(network, ["encoder.1.*"]) == [network.get_submodule("encoder.1")]
    assert network.get_parameter("head.weight").requires_grad
    assert freeze(network, []) == []
