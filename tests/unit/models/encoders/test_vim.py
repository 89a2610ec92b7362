"""ViM against its published counts, and its options against each other."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rsmamba.errors import OptionError
from rsmamba.models.encoders.vim import (
    VARIANTS,
    Config,
    make_classifier,
    make_encoder,
    paper_flops,
)
from rsmamba.models.encoders.vim.mixer import BidirectionalMamba
from rsmamba.models.encoders.vim.network import VimClassifier
from rsmamba.models.options import config_from_options

SMALL: dict[str, Any] = {
    "img_size": 64,
    "embed_dim": 16,
    "depth": 4,
    "d_state": 4,
    "out_indices": (0, 1, 2, 3),
}
SIZES: dict[str, Any] = {"height": 224, "width": 224, "num_classes": 1000}


def variant(name: str) -> Config:
    """Return the configuration of a published size."""
    return config_from_options(Config, VARIANTS[name].options)


def classifier(**options: Any) -> VimClassifier:  # noqa: ANN401 - any field of the configuration
    """Return a small classifier in float64, with every parameter at a value that matters."""
    torch.manual_seed(0)
    module = make_classifier(Config(**{**SMALL, **options}), in_channels=3, num_classes=5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


def image(height: int = 64, width: int = 64) -> Tensor:
    """Return a random image in float64."""
    return torch.randn(2, 3, height, width, dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "parameters", "gflops"),
    [
        ("vim_tiny", 7_148_008, 1.48),
        ("vim_small", 25_796_584, 5.14),
        ("vim_base", 97_598_440, 19.0),
    ],
)
def test_counts_equal_the_published_ones(name: str, parameters: int, gflops: float) -> None:
    with torch.device("meta"):
        module = make_classifier(variant(name), in_channels=3, num_classes=1000)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert paper_flops(variant(name), **SIZES) / 1e9 == pytest.approx(gflops, rel=0.01)


def test_flops_follow_the_tokens_of_each_block() -> None:
    """Token pruning published 3.60 G for ViM-S, pruned after blocks 5, 10 and 15."""
    entering = [197] * 5 + [157] * 5 + [125] * 5 + [101] * 9
    counted = paper_flops(variant("vim_small"), tokens=entering, **SIZES)
    assert counted / 1e9 == pytest.approx(3.60, rel=0.01)


def test_overlapping_patches_have_the_published_parameters() -> None:
    """ViM-Tiny+ differs by 729 positions in place of 196."""
    with torch.device("meta"):
        module = make_classifier(Config(stride=8), in_channels=3, num_classes=1000)
    assert sum(parameter.numel() for parameter in module.parameters()) == 7_250_344


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_residual_as_feature": True, "last_layer_process": "add"},
        {"use_residual_as_feature": True, "last_layer_process": "add & norm", "rms_norm": False},
        {"if_rope": True, "if_rope_residual": True, "use_residual_as_feature": True},
    ],
)
def test_odd_image_of_five_bands_reaches_every_parameter(options: dict[str, Any]) -> None:
    encoder = make_encoder(Config(**SMALL, **options), in_channels=5)
    maps = encoder(torch.randn(2, 5, 97, 131))
    sizes = [(25, 33), (13, 17), (7, 9), (4, 5)]
    assert [tuple(features.shape) for features in maps] == [(2, 16, *size) for size in sizes]
    total = torch.stack([features.square().mean() for features in maps]).sum()
    # Raises if the maps do not depend on a parameter.
    gradients = torch.autograd.grad(total, list(encoder.parameters()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_residual_maps_are_running_sums() -> None:
    """Of the embedded patches and the outputs of all mixers up to the block of the map."""
    options: dict[str, Any] = {
        "use_residual_as_feature": True,
        "last_layer_process": "add",
        "if_fpn": False,
    }
    encoder = make_encoder(Config(**SMALL, **options), in_channels=3).double().eval()
    added = [encoder.backbone.embed(source := image())[0]]
    for block in encoder.backbone.layers:
        block.get_submodule("mixer.out_proj").register_forward_hook(
            lambda *call: added.append(call[2])
        )
    maps = encoder(source)
    for index, features in enumerate(maps):
        total = torch.stack(added[: index + 2]).sum(dim=0)
        torch.testing.assert_close(features.flatten(2).transpose(1, 2), total)


def test_overlapping_patches_give_maps_of_the_promised_size() -> None:
    encoder = make_encoder(Config(**SMALL, stride=8), in_channels=3)
    assert encoder.strides == (2, 4, 8, 16)
    maps = encoder(torch.randn(1, 3, 50, 9))
    sizes = [(25, 5), (13, 3), (7, 2), (4, 1)]
    assert [tuple(features.shape[2:]) for features in maps] == sizes


def test_patches_of_eight_pixels_have_a_pyramid_too() -> None:
    encoder = make_encoder(Config(**SMALL, patch_size=8, stride=8), in_channels=3)
    assert encoder.strides == (4, 8, 16, 32)
    maps = encoder(torch.randn(1, 3, 64, 40))
    assert [tuple(features.shape[2:]) for features in maps] == [(16, 10), (8, 5), (4, 3), (2, 2)]


def test_v1_is_v2_whose_directions_share_all_but_their_decay() -> None:
    """With a convolution of one token; a longer one looks forwards in both directions of "v1"."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"embed_dim": 16, "d_state": 4, "d_conv": 1}
    shared = BidirectionalMamba(Config(**sizes, bimamba_type="v1")).double()
    own = BidirectionalMamba(Config(**sizes, if_divide_out=False)).double()
    nn.init.normal_(shared.directions[1].get_parameter("A_log"))
    own.load_state_dict(shared.state_dict(), strict=False)
    forward = {k: v for k, v in shared.directions[0].state_dict().items() if k != "A_log"}
    own.directions[1].load_state_dict(forward, strict=False)
    tokens = torch.randn(2, 7, 16, dtype=torch.float64)
    torch.testing.assert_close(shared(tokens), own(tokens))


def test_one_direction_never_looks_ahead() -> None:
    mixer = BidirectionalMamba(Config(embed_dim=16, bimamba_type="none")).double()
    tokens = torch.randn(1, 9, 16, dtype=torch.float64)
    torch.testing.assert_close(mixer(tokens)[:, :5], mixer(tokens[:, :5]))


def test_reading_backwards_swaps_the_directions() -> None:
    """Flipping the tokens and swapping what the directions own changes nothing."""
    plain, flipped = classifier(), classifier(flip_img_sequences_ratio=1.0)
    flipped.load_state_dict(plain.state_dict())
    for block in flipped.backbone.layers:
        directions = block.get_submodule("mixer.directions")
        assert isinstance(directions, nn.ModuleList)
        directions[0], directions[1] = directions[1], directions[0]
    source = image()
    torch.testing.assert_close(flipped(source), plain(source))


def test_twin_blocks_of_a_pair_do_not_know_left_from_right() -> None:
    backbone = classifier(if_bidirectional=True, bimamba_type="none").backbone
    for index in (0, 2):
        backbone.layers[index + 1].load_state_dict(backbone.layers[index].state_dict())
    tokens = torch.randn(1, 9, 16, dtype=torch.float64)
    there, back = (backbone.run_pairs(t, None) for t in (tokens, tokens.flip(1)))
    torch.testing.assert_close(back.hidden.flip(1), there.hidden)


@pytest.mark.parametrize("pool", ["none", "mean", "max"])
def test_without_class_token_the_tokens_are_pooled(pool: str) -> None:
    module = classifier(if_cls_token=False, final_pool_type=pool, rms_norm=False)
    seen: list[Tensor] = []
    module.norm_f.register_forward_hook(lambda *call: seen.append(call[2]))
    logits = module(image())
    by_token = module.head(seen[0])
    pooled = {"none": by_token[:, -1], "mean": by_token.mean(1), "max": by_token.amax(1)}[pool]
    torch.testing.assert_close(logits, pooled)


def test_two_class_tokens_are_averaged() -> None:
    module = classifier(use_double_cls_token=True)
    seen: list[Tensor] = []
    module.norm_f.register_forward_hook(lambda *call: seen.append(call[2]))
    logits = module(image())
    torch.testing.assert_close(logits, module.head((seen[0][:, 0] + seen[0][:, -1]) / 2))


def test_narrow_network_keeps_a_wide_residual() -> None:
    encoder = make_encoder(Config(**SMALL), in_channels=3).to(torch.bfloat16).eval()
    tokens, _ = encoder.backbone.embed(torch.randn(1, 3, 64, 64, dtype=torch.bfloat16))
    state, _ = encoder.backbone.run(tokens, None)
    assert state.residual is not None
    assert (state.hidden.dtype, state.residual.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"depth": 0}, "depth 0.*give 1 or more"),
        ({"stride": 17}, "stride 17, patch_size 16.*must rise"),
        ({"if_rope": True, "embed_dim": 18}, "divisible by 4, got 18"),
        ({"if_bidirectional": True, "depth": 5}, "depth 5 is odd"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        Config(**options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"out_indices": (3, 24)}, "must be blocks from 0 to 23, rising"),
        ({"if_bidirectional": True}, "no dense form"),
        ({"stride": 10}, "stride divisible by 4, got 10"),
        ({"patch_size": 32}, "patches 8 or 16, got 4 of 32"),
    ],
)
def test_impossible_dense_forms_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        make_encoder(Config(**options), in_channels=3)


def test_a_score_for_every_token_is_no_classifier() -> None:
    with pytest.raises(OptionError, match='"all" scores every token'):
        classifier(if_cls_token=False, final_pool_type="all")
