"""VMamba against the published counts, and what it promises for any input and any option."""

from typing import Any

import pytest
import torch
from torch import nn

from rsmamba.errors import ModelFileError, OptionError
from rsmamba.models.cvmh_unet import CVMHUNet, CVMHUNetConfig
from rsmamba.models.encoders.vmamba import (
    VARIANTS,
    Config,
    make_classifier,
    make_encoder,
    paper_flops,
)
from rsmamba.models.layers.cvss_block import CVSSBlock
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.options import config_from_options
from rsmamba.models.upstream.vmamba import adapt, config_from_official, cvmh_unet_state, rename

# Parameters and 10^9 operations at 224 x 224, as counted with the official code.
PUBLISHED = {
    "vmamba_tiny_v0": (22_893_448, 5.63),
    "vmamba_small_v0": (44_417_416, 11.23),
    "vmamba_base_v0": (76_254_056, 18.02),
    "vmamba_tiny_s2l5": (30_705_832, 4.86),
    "vmamba_small_s2l15": (50_147_752, 8.72),
    "vmamba_base_s2l15": (88_557_800, 15.36),
    "vmamba_tiny_s1l8": (30_249_064, 4.91),
    "vmamba_small_s1l20": (49_012_840, 8.61),
    "vmamba_base_s1l20": (86_614_504, 15.22),
}
FIRST_RELEASE = {
    "forward_type": "v0",
    "mlp_ratio": 0.0,
    "norm_layer": "ln",
    "downsample_version": "v1",
    "patchembed_version": "v1",
}


def tiny(**options: Any) -> Config:  # noqa: ANN401 - options of the family
    """Return a network small enough to run in a moment."""
    small = {"dims": (8, 12, 16), "depths": (1, 2, 1), "d_state": 2}
    return config_from_options(Config, {**small, **options})


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_the_published_counts(name: str) -> None:
    config = config_from_options(Config, VARIANTS[name].options)
    with torch.device("meta"):
        classifier = make_classifier(config, in_channels=3, num_classes=1000)
    parameters, billions = PUBLISHED[name]
    flops = paper_flops(config, height=224, width=224, num_classes=1000)
    assert sum(value.numel() for value in classifier.parameters()) == parameters
    assert flops / 1e9 == pytest.approx(billions, rel=0.01)


def test_every_variant_is_a_published_size() -> None:
    assert list(VARIANTS) == list(PUBLISHED)


OPTIONS: list[dict[str, Any]] = [
    {},
    FIRST_RELEASE,
    {"norm_layer": "bn", "downsample_version": "v2", "gmlp": True},
    {"forward_type": "v05_oncnorm", "patch_norm": False, "dt_rank": 3},
    {"forward_type": "v052d_ondwconv3_noz_oact", "ssm_conv": 5, "ssm_conv_bias": True},
    {"forward_type": "v2_onsoftmax_nozact", "ssm_conv": 0, "ssm_act_layer": "gelu"},
    {"forward_type": "v3noz", "mlp_act_layer": "relu", "patch_size": 2, "patchembed_version": "v1"},
    {"ssm_ratio": 0.0, "patchembed_version": "v1"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_parameter_takes_a_gradient(options: dict[str, Any]) -> None:
    """At five bands and odd sides that differ."""
    encoder = make_encoder(tiny(**options), in_channels=5)
    # Weighted, because the mean of a normalised map says nothing of what lies before.
    maps = encoder(torch.randn(2, 5, 33, 50))
    sum((map_ * torch.randn_like(map_)).mean() for map_ in maps).backward()
    dead = [name for name, value in encoder.named_parameters() if value.grad is None]
    assert dead == []


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("size", [(97, 131), (1, 1), (3, 40)])
def test_maps_of_any_image_have_the_stated_channels(
    options: dict[str, Any], size: tuple[int, int]
) -> None:
    encoder = make_encoder(tiny(**options), in_channels=3).eval()
    with torch.inference_mode():
        maps = encoder(torch.randn(1, 3, *size))
    assert tuple(map_.shape[1] for map_ in maps) == encoder.out_channels == (8, 12, 16)
    for map_, stride in zip(maps, encoder.strides, strict=True):
        for side, pixels in zip(map_.shape[2:], size, strict=True):
            assert abs(side - pixels / stride) <= 1
        assert map_.isfinite().all()


def test_only_the_chosen_stages_are_given_out() -> None:
    """Under the names that the others would not change."""
    encoder = make_encoder(tiny(out_indices=(0, 2)), in_channels=3)
    assert (encoder.out_channels, encoder.strides) == ((8, 16), (4, 16))
    assert {name.split(".")[1] for name in encoder.state_dict() if "out_norms" in name} == {
        "0",
        "2",
    }
    assert [map_.shape[1] for map_ in encoder(torch.randn(1, 3, 16, 16))] == [8, 16]


def test_classifier_takes_images_of_any_size() -> None:
    """Also with a position embedding, which is learned for one size."""
    config = tiny(posembed=True, imgsize=32)
    classifier = make_classifier(config, in_channels=4, num_classes=7)
    assert classifier(torch.randn(2, 4, 45, 30)).shape == (2, 7)


def test_a_position_embedding_of_another_grid_is_resized() -> None:
    """What is constant over the grid stays what it is."""
    large = make_classifier(tiny(posembed=True, imgsize=64), in_channels=3, num_classes=2)
    small = make_classifier(tiny(posembed=True, imgsize=32), in_channels=3, num_classes=2)
    key = "stem.position.embedding"
    constant = torch.randn(1, 8, 1, 1).expand(1, 8, 16, 16)
    adapted = adapt({key: constant}, small)[key]
    assert adapted.shape == small.get_parameter(key).shape != large.get_parameter(key).shape
    torch.testing.assert_close(adapted, constant[..., :8, :8])


def test_drop_path_rates_rise_over_all_blocks() -> None:
    encoder = make_encoder(tiny(drop_path=0.3), in_channels=3)
    rates = [layer.rate for layer in encoder.modules() if isinstance(layer, DropPath)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (1, 2)}, r"dims \(8, 12, 16\) and depths \(1, 2\) must have one number"),
        ({"depths": (1, 0, 1)}, "at least 1 for each stage"),
        ({"out_indices": (2, 0)}, "rising numbers of stages, from 0 to 2"),
        ({"out_indices": (3,)}, "rising numbers of stages, from 0 to 2"),
        ({"ssm_ratio": 0.0, "mlp_ratio": 0.0}, "not both 0"),
        ({"patch_size": 3}, "patch_size is 3; give 1 or more, and an even number"),
        ({"posembed": True, "imgsize": 2}, "imgsize 2 is smaller than a patch of 4"),
        ({"forward_type": "v9"}, "forward_type is 'v9'.*give one of v0, v0seq, v01"),
        ({"forward_type": "v05_nos"}, "then any of the marks _no32, _noz"),
        ({"forward_type": "v0_noz"}, "v0 takes no marks"),
        ({"norm_layer": "rms"}, "option norm_layer is 'rms'; choose one of 'ln', 'ln2d', 'bn'"),
        ({"ssm_d_state": 1}, r"unknown option 'ssm_d_state' \(did you mean 'd_state'\?\)"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        tiny(**options)


def test_an_even_convolution_of_the_mixer_is_refused() -> None:
    with pytest.raises(OptionError, match="depth-wise kernel is 4; give an odd side"):
        make_encoder(tiny(ssm_conv=4), in_channels=3)


def test_official_arguments_are_read_with_their_defaults() -> None:
    config = config_from_official(
        {"dims": 32, "depths": [1, 1], "norm_layer": "LN", "drop_path_rate": 0.4, "in_chans": 7}
    )
    assert (config.dims, config.drop_path, config.d_state) == ((32, 64), 0.4, 16)
    assert (config.forward_type, config.downsample_version) == ("v2", "v2")


def test_rs3mamba_names_belong_to_the_same_weights() -> None:
    ours = rename("vssm_encoder.downsamples.1.reduction.weight", part="encoder")
    assert ours == rename("layers.1.downsample.reduction.weight", part="encoder")


@pytest.fixture
def first_release() -> dict[str, torch.Tensor]:
    """Weights of a small VMamba of the first release, by their official names."""
    options = {**FIRST_RELEASE, "dims": (8, 16, 32, 64), "depths": (3, 2, 2, 2), "ssm_ratio": 2.0}
    torch.manual_seed(0)
    classifier = make_classifier(tiny(**options), in_channels=3, num_classes=2)
    official = {"stem.patches.": "patch_embed.", "norm.": "classifier.norm."}
    state = {}
    for name, tensor in classifier.state_dict().items():
        for ours, theirs in official.items():
            if name.startswith(ours):
                name = theirs + name.removeprefix(ours)  # noqa: PLW2901 - renamed in place
        if ".downsample." in name:
            stage, rest = name.removeprefix("stages.").split(".downsample.")
            name = f"layers.{int(stage) - 1}.downsample.{rest}"  # noqa: PLW2901 - likewise
        state[name.replace("stages.", "layers.")] = tensor
    return state


def cvmh_unet(**options: Any) -> CVMHUNet:  # noqa: ANN401 - options of the network
    """Return a CVMH-UNet of the same width."""
    config = config_from_options(CVMHUNetConfig, {"dim": 8, "d_state": 2, **options})
    return CVMHUNet(num_classes=3, config=config)


def test_first_release_starts_the_mixers_of_cvmh_unet(
    first_release: dict[str, torch.Tensor],
) -> None:
    """Rows and columns are taken over, the diagonals start from them."""
    state = cvmh_unet_state(first_release, cvmh_unet())
    taken = state["encoder.1.blocks.1.mixer.op.x_proj_weight"]
    official = first_release["layers.1.blocks.1.op.x_proj_weight"]
    torch.testing.assert_close(taken[:2], official[:2])
    torch.testing.assert_close(taken[2:], official[:2])
    merging = state["mergings.2.reduction.weight"]
    torch.testing.assert_close(merging, first_release["layers.2.downsample.reduction.weight"])


def test_blocks_of_cvmh_unet_start_as_the_identity(
    first_release: dict[str, torch.Tensor],
) -> None:
    """No random layer stands between the official ones."""
    network = cvmh_unet().eval()
    network.load_state_dict(cvmh_unet_state(first_release, network))
    block = next(module for module in network.modules() if isinstance(module, CVSSBlock))
    features = torch.randn(1, 6, 5, 8)
    torch.testing.assert_close(block(features), features)


def test_the_decoder_starts_from_the_encoder_where_asked(
    first_release: dict[str, torch.Tensor],
) -> None:
    network = cvmh_unet()
    key, source = (
        "decoder.3.blocks.0.mixer.op.in_proj.weight",
        "layers.0.blocks.0.op.in_proj.weight",
    )
    with_decoder = cvmh_unet_state(first_release, network, decoder=True)
    torch.testing.assert_close(with_decoder[key], first_release[source])
    without = cvmh_unet_state(first_release, network)
    torch.testing.assert_close(without[key], network.state_dict()[key])


def test_weights_of_another_release_do_not_start_cvmh_unet() -> None:
    classifier: nn.Module = make_classifier(
        tiny(dims=(8, 16, 32, 64), depths=(1, 1, 1, 1)), in_channels=3, num_classes=2
    )
    state = {name.replace("stages", "layers"): v for name, v in classifier.state_dict().items()}
    with pytest.raises(ModelFileError, match="not those of a VMamba of the first release"):
        cvmh_unet_state(state, cvmh_unet())
