"""VSSD: published sizes, input sizes, options."""

from typing import Any

import pytest
import torch

from rsmamba.errors import OptionError
from rsmamba.models.encoders.vssd import (
    VARIANTS,
    Config,
    make_classifier,
    make_encoder,
    paper_flops,
)
from rsmamba.models.options import config_from_options

SMALL: dict[str, Any] = {
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (4, 4, 4, 4),
    "d_state": 4,
    "drop_path": 0.0,
}
ICCV = SMALL | {"edition": "iccv", "d_state": (4, 8, 4, 8), "ssd_expansion": 1}


def variant(name: str) -> Config:
    """Return the configuration of a published size."""
    return config_from_options(Config, VARIANTS[name].options)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vssd_micro", 13_512_964),
        ("vssd_tiny", 24_270_724),
        ("vssd_small", 40_075_650),
        ("vssd_base", 88_823_151),
        ("vssd_iccv_tiny", 28_192_936),
        ("vssd_iccv_small", 50_417_512),
    ],
)
def test_classifier_has_the_published_parameters(name: str, parameters: int) -> None:
    with torch.device("meta"):
        classifier = make_classifier(variant(name), in_channels=3, num_classes=1000)
    assert sum(parameter.numel() for parameter in classifier.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vssd_micro", 13_128_636),
        ("vssd_tiny", 23_758_620),
        ("vssd_small", 39_563_546),
        ("vssd_base", 88_055_495),
    ],
)
def test_encoder_has_the_parameters_of_the_official_one(name: str, parameters: int) -> None:
    with torch.device("meta"):
        encoder = make_encoder(variant(name), in_channels=3)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "published", "measured"),
    [
        ("vssd_micro", 2.3, 2.306),
        ("vssd_tiny", 4.5, 4.475),
        ("vssd_small", 7.4, 7.366),
        ("vssd_base", 16.1, 16.066),
        ("vssd_iccv_tiny", 5.0, 4.98),
        ("vssd_iccv_small", 8.1, 8.06),
    ],
)
def test_paper_flops_are_the_published_ones(name: str, published: float, measured: float) -> None:
    giga = paper_flops(variant(name), height=224, width=224, num_classes=1000) / 1e9
    assert giga == pytest.approx(published, rel=0.01)
    assert giga == pytest.approx(measured, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in VARIANTS if "iccv" in name])
def test_iccv_variants_say_that_they_are_reconstructed(name: str) -> None:
    assert "reconstructed" in VARIANTS[name].summary


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        ICCV,
        SMALL | {"linear_attn_duality": False, "ssd_ngroups": 2, "bidirection": True},
        SMALL | {"ssd_ngroups": -1, "simple_downsample": True},
    ],
    ids=["arxiv", "iccv", "causal", "groups"],
)
def test_odd_images_of_five_bands_give_maps_and_every_gradient(options: dict[str, Any]) -> None:
    encoder = make_encoder(config_from_options(Config, options), in_channels=5).double()
    maps = encoder(torch.randn(2, 5, 97, 131, dtype=torch.float64))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (16, 25, 33),
        (32, 13, 17),
        (64, 7, 9),
        (128, 4, 5),
    ]
    loss = torch.stack([features.square().mean() for features in maps]).sum()
    names, parameters = zip(*encoder.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters)
    assert [name for name, grad in zip(names, gradients, strict=True) if not grad.any()] == []


def test_rows_and_columns_keep_their_places() -> None:
    torch.manual_seed(0)
    encoder = make_encoder(config_from_options(Config, SMALL), in_channels=3).double().eval()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3):
            module.weight.data = module.weight.data + module.weight.data.transpose(-1, -2)
    image = torch.randn(1, 3, 33, 61, dtype=torch.float64)
    turned = encoder(image.transpose(-1, -2))
    for upright, lying in zip(encoder(image), turned, strict=True):
        torch.testing.assert_close(lying.transpose(-1, -2), upright)


@pytest.mark.parametrize("options", [SMALL, ICCV, SMALL | {"simple_patch_embed": True}])
def test_one_pixel_is_enough(options: dict[str, Any]) -> None:
    encoder = make_encoder(config_from_options(Config, options), in_channels=3).eval()
    maps = encoder(torch.randn(1, 3, 1, 1))
    assert [tuple(m.shape[2:]) for m in maps] == [(1, 1)] * 4
    assert all(m.isfinite().all() for m in maps)


def test_simple_stem_leaves_out_what_is_no_whole_patch() -> None:
    config = config_from_options(Config, SMALL | {"simple_patch_embed": True})
    encoder = make_encoder(config, in_channels=3).eval()
    image = torch.randn(1, 3, 43, 35)
    whole = encoder(image[..., :40, :32])
    for features, expected in zip(encoder(image), whole, strict=True):
        torch.testing.assert_close(features, expected)


def test_classifier_takes_odd_images() -> None:
    config = config_from_options(Config, SMALL)
    classifier = make_classifier(config, in_channels=5, num_classes=7)
    assert classifier.eval()(torch.randn(2, 5, 37, 53)).shape == (2, 7)


def test_drop_rates_grow_over_all_blocks() -> None:
    options = SMALL | {"depths": (1, 2, 1, 1), "drop_path": 0.4}
    encoder = make_encoder(config_from_options(Config, options), in_channels=3)
    rates = [m.rate for m in encoder.modules() if type(m).__name__ == "DropPath"]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": (2, 4)}, "depths has 4 stages, so give 4 values"),
        ({"d_state": (8, 8)}, r"d_state is \(8, 8\)"),
        ({"attn_types": ("mamba2", "ssd", "mamba2", "standard")}, "attn_types holds ssd"),
        ({"depths": (1, 0, 1, 1)}, "give 1 or more"),
        ({"embed_dim": 1}, "embed_dim is 1; give an even number"),
        ({"mlp_ratio": 0.0}, "mlp_ratio is 0.0"),
        ({"drop_path": 1.0}, "drop_path is 1.0; give a rate from 0 up to, not including, 1"),
        ({"ssd_ngroups": 0}, "ssd_ngroups is 0; give 1 or more, or -1"),
        ({"ssd_ngroups": 3}, "ssd_ngroups 3 does not divide them"),
        ({"num_heads": (5, 5, 5, 5)}, "128 inner channels, which 5 heads cannot divide"),
        ({"num_heads": (2, 4, 8, 999)}, "999 heads for 512 channels"),
        ({"area_reference": 0}, "area_reference is 0"),
        ({"bidirection": True}, "set linear_attn_duality to False"),
        ({"linear_attn_duality": False, "area_reference": 224}, "this mixer has none"),
        ({"linear_attn_duality": False, "bidirection": True}, "even number of groups, not 1"),
        ({"edition": "iccv", "ssd_positive_dA": False}, "ssd_positive_dA True only"),
        ({"edition": "iccv", "ssd_ngroups": 2}, 'the edition "iccv" has 1 group only'),
        ({"edition": "iccv", "d_state": 6}, "rotary positions need a multiple of 4"),
        ({"edition": "cvpr"}, "choose one of 'arxiv', 'iccv'"),
    ],
)
def test_values_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        config_from_options(Config, options)
