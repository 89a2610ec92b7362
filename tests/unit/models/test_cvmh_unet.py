"""CVMH-UNet against the numbers and statements of its specification."""

from typing import Any

import pytest
import torch

from rsmamba import create_model
from rsmamba.errors import OptionError, ShapeError
from rsmamba.models.cvmh_unet import CVMHUNet, CVMHUNetConfig
from rsmamba.models.fusion import (
    FusionConfig,
    MultiFrequencyFusion,
    MultiFrequencyPooling,
    adaptive_kernel,
)
from rsmamba.models.layers.detail import DetailHead, DetailStem
from rsmamba.models.layers.drop_path import DropPath
from rsmamba.models.layers.patch import PatchExpanding, PatchMerging
from rsmamba.models.layers.stage import Stage
from rsmamba.ops.dct import TOP16_FREQUENCIES, dct_basis

BASELINE = {"block": "vss", "fusion": "add", "paths": "cross", "stage_residual": False}
RAW_SCAN_PARAMETERS = ("x_proj_weight", "dt_projs_weight", "dt_projs_bias", "A_logs", "Ds")


def tiny(**options: Any) -> torch.nn.Module:  # noqa: ANN401 - options of any network
    """Return a network small enough to run in a moment."""
    torch.manual_seed(0)
    return create_model("cvmh_unet", num_classes=4, dim=8, d_state=2, **options)


def count(model: torch.nn.Module, *, without: tuple[str, ...] = ()) -> int:
    """Count parameters, leaving out some by the end of their name."""
    named = model.named_parameters()
    return sum(value.numel() for name, value in named if not name.endswith(without or ("?",)))


@pytest.mark.parametrize(
    ("options", "total", "visible"),
    [
        ({}, 36_231_282, 30.841),
        (BASELINE, 27_427_686, 22.038),
        ({**BASELINE, "fusion": "mfms"}, 27_824_820, 22.435),
        ({"fusion": "add"}, 35_834_148, 30.444),
        ({"skip": {"global_branch": "ms_cam"}}, 36_628_308, 31.238),
        ({"skip": {"global_branch": "fully_connected"}}, 36_329_148, 30.939),
    ],
)
def test_parameters_equal_the_published_counts(
    options: dict[str, Any], total: int, visible: float
) -> None:
    """The total is the specification's, the part that thop sees is the paper's."""
    with torch.device("meta"):
        model = create_model("cvmh_unet", num_classes=6, **options)
    assert count(model) == total
    assert round(count(model, without=RAW_SCAN_PARAMETERS) / 1e6, 3) == visible


@pytest.mark.parametrize(
    ("dim", "parameters"), [(96, 133_154), (192, 443_618), (384, 1_596_770), (768, 6_031_970)]
)
def test_block_parameters_equal_the_specification(dim: int, parameters: int) -> None:
    """Each level's block has the count of the specification's table."""
    with torch.device("meta"):
        network = CVMHUNet(num_classes=6)
    level = (96, 192, 384, 768).index(dim)
    stage = network.encoder[level]
    assert isinstance(stage, Stage)
    assert count(stage.blocks[0]) == parameters


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (33, 70), (97, 131)])
def test_logits_have_the_size_of_any_input(size: tuple[int, int]) -> None:
    """Padding happens inside."""
    with torch.inference_mode():
        logits = tiny().eval()(torch.randn(1, 3, *size))
    assert logits.shape == (1, 4, *size)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        BASELINE,
        {"paths": "cs2d_wrapped", "dct_size": "published"},
        {"local": {"channel_pooling": "se", "local_norm": False, "pointwise": "fusion"}},
        {"local": {"final_activation": False, "spatial_kernel": 3}},
        {"skip": {"share_convs": True, "frequency_reduction": "sum"}},
        {"skip": {"global_branch": "ms_cam"}},
        {"skip": {"global_branch": "fully_connected"}},
    ],
)
def test_every_parameter_takes_a_gradient(options: dict[str, Any]) -> None:
    """No option leaves a dead layer behind."""
    model = tiny(**options)
    model(torch.randn(2, 3, 64, 64)).square().mean().backward()
    dead = [name for name, value in model.named_parameters() if value.grad is None]
    assert dead == []


def test_stage_of_identity_blocks_doubles_its_input() -> None:
    """The stage-level residual is x + B2(B1(x))."""
    network = CVMHUNet(num_classes=2, config=CVMHUNetConfig(dim=8, d_state=1))
    stage = network.encoder[0]
    stage.blocks = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    features = torch.randn(1, 4, 4, 8)
    torch.testing.assert_close(stage(features), 2 * features)


def test_last_decoder_stage_has_no_outer_residual() -> None:
    """A single block gets no extra skip."""
    network = CVMHUNet(num_classes=2, config=CVMHUNetConfig(dim=8, d_state=1))
    assert [stage.residual for stage in network.decoder] == [True, True, True, False]


def test_fusion_of_equal_maps_is_that_map() -> None:
    """With F = F~ the weights do not matter."""
    fusion = MultiFrequencyFusion(16, config=FusionConfig())
    features = torch.randn(2, 9, 11, 16)
    torch.testing.assert_close(fusion(features, features), features)


def test_fusion_stays_between_its_inputs() -> None:
    """The weight lies strictly between 0 and 1."""
    fusion = MultiFrequencyFusion(16, config=FusionConfig())
    zeros, ones = torch.zeros(2, 8, 8, 16), torch.ones(2, 8, 8, 16)
    weight = fusion(ones, zeros)
    assert ((weight > 0) & (weight < 1)).all()


def test_fusion_refuses_maps_of_two_levels() -> None:
    """The message shows both shapes."""
    fusion = MultiFrequencyFusion(8, config=FusionConfig())
    with pytest.raises(ShapeError, match=r"\(1, 4, 4, 8\) and decoder map \(1, 2, 2, 8\) differ"):
        fusion(torch.zeros(1, 4, 4, 8), torch.zeros(1, 2, 2, 8))


def test_global_branch_pools_the_products_with_every_basis() -> None:
    """The pooled values equal the paper's definition, written out."""
    pooling = MultiFrequencyPooling(8, config=FusionConfig())
    features = torch.randn(2, 10, 12, 8)
    products = features[:, None] * dct_basis(TOP16_FREQUENCIES, 10, 12)[None, ..., None]
    flat = products.flatten(2, 3)  # (B, 16, L, C)
    pooled = [flat.mean(2).mean(1), flat.amax(2).mean(1), flat.amin(2).mean(1)]
    expected = sum(mixer(part) for mixer, part in zip(pooling.mixers, pooled, strict=True))
    torch.testing.assert_close(pooling(features)[:, 0, 0], expected)


def test_adaptive_kernels_are_the_published_ones() -> None:
    """ECA's rule gives 3, 5, 5, 5."""
    assert [adaptive_kernel(dim) for dim in (96, 192, 384, 768)] == [3, 5, 5, 5]


def test_published_dct_size_gives_the_same_fusion_for_a_larger_tile() -> None:
    """Pooling to the published sides removes the dependence on the tile's size."""
    pooling = MultiFrequencyPooling(4, config=FusionConfig(pooled_size=8))
    small = torch.randn(1, 8, 8, 4)
    large = small.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    torch.testing.assert_close(pooling(small), pooling(large))


def test_merging_takes_the_corners_in_the_order_of_released_weights() -> None:
    """(0,0), (1,0), (0,1), (1,1) as (row, column) offsets."""
    merging = PatchMerging(1)
    merging.norm = torch.nn.Identity()  # only the order is of interest
    merging.reduction = torch.nn.Identity()  # type: ignore[assignment]  # likewise
    cell = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).view(1, 2, 2, 1)
    assert merging(cell).flatten().tolist() == [0.0, 2.0, 1.0, 3.0]


def test_merging_refuses_odd_sides() -> None:
    """The message names the sides."""
    with pytest.raises(ShapeError, match="even sides, got 3x4"):
        PatchMerging(2)(torch.zeros(1, 3, 4, 2))


def test_expanding_puts_row_offsets_before_column_offsets() -> None:
    """2C is read as (p1, p2, C/2) with p1 the row offset."""
    expanding = PatchExpanding(2)
    expanding.norm = torch.nn.Identity()  # type: ignore[assignment]  # only the order is of interest
    expanding.expand = torch.nn.Identity()  # type: ignore[assignment]  # likewise
    pixel = torch.arange(4.0).view(1, 1, 1, 4)
    assert expanding(pixel)[0, :, :, 0].tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_drop_path_rates_rise_in_the_encoder_and_fall_in_the_decoder() -> None:
    """As in VM-UNet."""
    network = CVMHUNet(num_classes=2, config=CVMHUNetConfig(dim=8, d_state=1, drop_path=0.7))
    rates = [
        [layer.rate for layer in stages.modules() if isinstance(layer, DropPath)]
        for stages in (network.encoder, network.decoder)
    ]
    assert rates[0] == sorted(rates[0])
    assert rates[1] == sorted(rates[1], reverse=True)
    assert (rates[0][-1], rates[1][0]) == pytest.approx((0.7, 0.7))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": 8}, r"unknown option 'dims' \(did you mean 'dim'\?\)"),
        ({"paths": "zigzag"}, "option paths is 'zigzag'; choose one of 'cross', 'cs2d'"),
        ({"dim": 30}, "dim is 30; give a multiple of 4"),
        ({"encoder_depths": (2, 2, 0, 2)}, r"depths \(2, 2, 0, 2\) must be four numbers"),
        ({"d_state": 0}, "d_state 0: give 1 or more"),
        ({"drop_path": 1.0}, "drop path rate is"),
        ({"local": {"pointwise": "both"}}, "option pointwise is 'both'"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    """The message says what is allowed."""
    with pytest.raises(OptionError, match=message):
        create_model("cvmh_unet", num_classes=2, **options)


def test_unknown_network_names_the_closest() -> None:
    """The message lists the names."""
    with pytest.raises(OptionError, match="did you mean 'cvmh_unet'"):
        create_model("cvmhunet", num_classes=2)


def test_a_network_needs_a_class_and_a_band() -> None:
    """Zero of either is refused."""
    with pytest.raises(OptionError, match="num_classes 0 and in_channels 3"):
        create_model("cvmh_unet", num_classes=0)


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (64, 96)])
def test_the_detail_head_scores_any_size(size: tuple[int, int]) -> None:
    network = tiny(detail=4).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, *size)).shape == (2, 4, *size)


def test_the_detail_head_tells_single_pixels_apart() -> None:
    torch.manual_seed(0)
    stem = DetailStem(3, width=4).eval()
    head = DetailHead(8, num_classes=4, width=4).eval()
    image, features = torch.randn(1, 3, 32, 32), torch.randn(1, 8, 8, 8)
    changed = image.clone()
    changed[0, :, 15, 16] += 3
    with torch.inference_mode():
        logits = [head(features, stem(pixels)) for pixels in (image, changed)]
    difference = (logits[1] - logits[0]).abs().amax(dim=1)[0]
    assert difference[15, 16] > 1e-4
    assert difference[:6].max() == 0
    assert difference[:, 27:].max() == 0


def test_the_published_network_has_no_detail() -> None:
    names = {name.partition(".")[0] for name, _ in tiny().named_parameters()}
    with_detail = {name.partition(".")[0] for name, _ in tiny(detail=4).named_parameters()}
    assert with_detail ^ names == {"detail_stem", "final_expanding"}


def test_a_negative_width_of_the_detail_head_is_refused() -> None:
    with pytest.raises(OptionError, match="detail is -1; give a number of channels, or 0"):
        tiny(detail=-1)
