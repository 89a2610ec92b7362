"""ViM2: sizes, options, identities between them, and any size of image."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rsmamba.errors import OptionError, ShapeError
from rsmamba.models.encoders.mambamixer import (
    VARIANTS,
    Config,
    make_classifier,
    make_encoder,
    paper_flops,
)
from rsmamba.models.encoders.mambamixer.channel_scans import GroupScan, PixelScan
from rsmamba.models.encoders.mambamixer.config import ChannelConfig
from rsmamba.models.encoders.mambamixer.stage import WeightedAverage, mixer_kinds
from rsmamba.models.options import config_from_options

SMALL = {
    "embed_dim": 8,
    "token_depths": (2, 2, 2, 2),
    "channel_depths": (1, 1, 2, 1),
}


def config_of(variant: str, **options: Any) -> Config:  # noqa: ANN401 - plain values of options
    return config_from_options(Config, {**VARIANTS[variant].options, **options})


def small(**options: Any) -> Config:  # noqa: ANN401 - plain values of options
    return config_from_options(Config, {**SMALL, **options})


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def classifier_parameters(config: Config) -> int:
    with torch.device("meta"):
        classifier = make_classifier(config, in_channels=3, num_classes=1000)
    return sum(parameter.numel() for parameter in classifier.parameters())


@pytest.mark.parametrize(
    ("variant", "count", "published"),
    [
        ("vim2_tiny", 19_849_503, 20e6),
        ("vim2_small", 42_790_036, 43e6),
        ("vim2_base", 74_009_908, 74e6),
    ],
)
def test_parameters_are_those_of_the_paper(variant: str, count: int, published: float) -> None:
    assert classifier_parameters(config_of(variant)) == count
    assert abs(count / published - 1) < 0.01


@pytest.mark.parametrize(
    ("variant", "count"),
    [("vim2_tiny", 24.011e6), ("vim2_small", 43.675e6), ("vim2_base", 75.582e6)],
)
def test_the_layout_of_the_papers_table_can_be_had(variant: str, count: float) -> None:
    """Wide channel mixers in the last stage, and Tiny's third stage of 6 and 3."""
    config = config_of(variant, channel={"ratios": (2.0, 2.0, 2.0, 1.0)})
    if variant == "vim2_tiny":
        depths = {"token_depths": (2, 2, 6, 2), "channel_depths": (1, 1, 3, 1)}
        config = config_of(variant, channel={"ratios": (2.0, 2.0, 2.0, 1.0)}, **depths)
    assert classifier_parameters(config) == pytest.approx(count, rel=1e-4)


@pytest.mark.parametrize(
    ("variant", "derived"), [("vim2_tiny", 5.3e9), ("vim2_small", 11.2e9), ("vim2_base", 18.1e9)]
)
def test_flops_are_those_derived_from_the_paper(variant: str, derived: float) -> None:
    config = config_of(variant)
    counted = paper_flops(config, height=224, width=224, num_classes=1000)
    assert abs(counted / derived - 1) < 0.03


def test_flops_follow_the_options() -> None:
    """Vectors of 16 channels need more arithmetic for the same width, no gate needs less."""

    def count(**channel: Any) -> float:  # noqa: ANN401 - plain values of options
        return paper_flops(small(channel=channel), height=96, width=64, num_classes=3)

    assert count(gate="none") < count() < count(features="groups", group_size=2)
    assert count(bidirectional=False) < count()


@pytest.mark.parametrize(
    ("order", "depths", "kinds"),
    [
        ("tokens_first", (4, 2), "TTCTTC"),
        ("channels_first", (4, 2), "CTTCTT"),
        ("separate", (4, 2), "TTTTCC"),
        ("tokens_first", (3, 0), "TTT"),
    ],
)
def test_order_of_the_mixers(order: str, depths: tuple[int, int], kinds: str) -> None:
    tokens, channels = depths
    config = small(order=order, token_depths=(2, 2, tokens, 2), channel_depths=(1, 1, channels, 1))
    assert mixer_kinds(config, stage=2) == kinds


@pytest.mark.parametrize(("height", "width"), [(97, 131), (64, 32), (3, 1), (1, 40)])
def test_maps_of_any_image(height: int, width: int) -> None:
    encoder = make_encoder(small(), in_channels=5).eval()
    with torch.no_grad():
        maps = encoder(image(2, 5, height, width))
    assert encoder.out_channels == (8, 16, 32, 64)
    assert [tuple(features.shape) for features in maps] == [
        (2, channels, -(-height // stride), -(-width // stride))
        for channels, stride in zip(encoder.out_channels, encoder.strides, strict=True)
    ]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"channel": {"features": "groups", "group_size": 4}},
        {"inner_residual": False, "averaging": "ones"},
        {"image_size": (97, 131), "channel": {"features": "tokens"}},
    ],
)
def test_gradient_reaches_every_parameter(options: dict[str, Any]) -> None:
    encoder = make_encoder(small(**options), in_channels=5)
    encoder(image(3, 5, 97, 131))[-1].square().mean().backward()
    # The other maps' own norms are no part of the last map.
    untouched = {f"out_norms.{stage}" for stage in range(3)}
    for name, parameter in encoder.named_parameters():
        if name.rpartition(".")[0] not in untouched:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def outputs(encoder: nn.Module, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        maps: list[Tensor] = encoder.double().eval()(images.double())
    return maps


def test_averages_start_as_a_plain_residual_network() -> None:
    averaging, plain = (
        make_encoder(small(averaging=kind), in_channels=3) for kind in ("identity", "none")
    )
    state = averaging.state_dict()
    plain.load_state_dict({name: v for name, v in state.items() if "averages" not in name})
    images = image(2, 3, 40, 24)
    torch.testing.assert_close(outputs(averaging, images), outputs(plain, images))


def test_sums_of_all_results_are_a_residual_network() -> None:
    """Residuals outside the mixers, all weights 1, is the same by expansion."""
    summing = make_encoder(small(averaging="ones", inner_residual=False), in_channels=3)
    plain = make_encoder(small(averaging="none"), in_channels=3)
    state = summing.state_dict()
    plain.load_state_dict({name: v for name, v in state.items() if "averages" not in name})
    images = image(2, 3, 40, 24)
    torch.testing.assert_close(outputs(summing, images), outputs(plain, images))


def test_average_picks_leaves_alone_and_normalises() -> None:
    maps = [image(2, 3, 4, 5) + index for index in range(3)]
    copies = [features.clone() for features in maps]
    picked = WeightedAverage(3, kind="identity")(maps)
    uniform = WeightedAverage(3, kind="softmax")(maps)
    assert torch.equal(picked, maps[2])
    torch.testing.assert_close(uniform, sum(copies) / 3)
    assert all(torch.equal(one, other) for one, other in zip(maps, copies, strict=True))


def test_weights_of_averages_are_vectors() -> None:
    """Training decays no vectors, and these weights must not be decayed."""
    encoder = make_encoder(small(), in_channels=3)
    weights = [p for name, p in encoder.named_parameters() if "averages" in name]
    assert [len(weight) for weight in weights] == [1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3]


def test_groups_of_one_channel_are_single_numbers() -> None:
    channel = ChannelConfig()
    pixels = PixelScan(channel).double()
    groups = GroupScan(config_from_options(ChannelConfig, {"group_size": 1})).double()
    rank_one = torch.ones(2, 1, 1, dtype=torch.float64)
    terms = (pixels.B_weight[..., None], pixels.C_weight[..., None])  # (K, N, 1)
    state = {
        "conv.weight": pixels.conv.weight,
        "conv.bias": pixels.conv.bias,
        "x_proj_weight": torch.cat([rank_one, *terms], dim=1),
        "dt_projs_weight": pixels.dt_weight[:, None, None],
        "dt_projs_bias": pixels.dt_bias[:, None],
        "A_logs": pixels.A_logs[:, None],
        "Ds": pixels.Ds[:, None],
    }
    groups.load_state_dict(state)
    values = image(12, 2, 15).double()
    torch.testing.assert_close(groups(values), pixels(values))


def test_pixels_of_the_token_variant_are_fixed() -> None:
    encoder = make_encoder(
        small(image_size=(40, 24), channel={"features": "tokens"}), in_channels=3
    ).eval()
    with torch.no_grad():
        assert encoder(image(1, 3, 40, 24))[0].shape == (1, 8, 10, 6)
        with pytest.raises(ShapeError, match="maps of 60 pixels, got 36"):
            encoder(image(1, 3, 24, 24))


@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_stays_near_float32(autocast: bool) -> None:
    encoder = make_encoder(small(averaging="ones", inner_residual=False), in_channels=3).eval()
    images = image(2, 3, 40, 56)
    with torch.no_grad():
        expected = encoder(images)
        if autocast:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                maps = encoder(images)
        else:
            maps = encoder.to(torch.bfloat16)(images.bfloat16())
    for features, plain in zip(maps, expected, strict=True):
        assert (features.float() - plain).abs().max() < 0.05 * plain.abs().max()


def test_a_batch_is_its_images() -> None:
    encoder = make_encoder(small(), in_channels=3).eval()
    images = image(3, 3, 33, 47)
    with torch.no_grad():
        together, alone = encoder(images), [encoder(one[None]) for one in images]
    for level, features in enumerate(together):
        torch.testing.assert_close(features, torch.cat([maps[level] for maps in alone]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_depths": (2, 2, 2)}, "one number for each stage"),
        ({"token_depths": (2, 2, 0, 2)}, "at least one token mixer"),
        ({"channel_depths": (1, 1, 3, 1)}, "divide its token mixers evenly"),
        ({"embed_dim": 1, "channel": {"ratios": (2.0, 2.0, 2.0, 0.1)}}, "give 1 or more"),
        ({"channel": {"features": "groups", "group_size": 5}}, "multiples of group_size 5"),
        ({"averaging": "none", "inner_residual": False}, "nothing bypasses a mixer"),
        ({"channel": {"features": "tokens"}}, "do not go together"),
        ({"image_size": (64, 64)}, "do not go together"),
        ({"image_size": (64, 0), "channel": {"features": "tokens"}}, "at least 1"),
        ({"order": "TTC"}, "'separate'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        small(**options)
