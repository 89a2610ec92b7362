"""PlainMamba against its published counts and a recurrence over tokens."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rsmamba.errors import OptionError
from rsmamba.models.encoders.plainmamba import (
    VARIANTS,
    Config,
    make_classifier,
    make_encoder,
    paper_flops,
)
from rsmamba.models.encoders.plainmamba.mixer import PlainMamba2D
from rsmamba.models.encoders.plainmamba.snake import SnakeGrid, snake_grid
from rsmamba.models.options import config_from_options
from rsmamba.models.upstream.plainmamba import adapt
from rsmamba.ops.scan_paths import scan_orders

SMALL: dict[str, Any] = {"embed_dims": 16, "num_layers": 4, "out_indices": (0, 1, 2, 3)}
CPU = torch.device("cpu")
GRIDS = [(1, 1), (1, 4), (4, 1), (3, 4), (4, 3), (5, 5)]


def variant(name: str) -> Config:
    """Return the configuration of a published size."""
    return config_from_options(Config, VARIANTS[name].options)


def looped_mixer(mixer: PlainMamba2D, tokens: Tensor, grid: SnakeGrid) -> Tensor:
    """Mix the tokens (L, C) of one image, one direction and one token after the other."""
    u, z = mixer.in_proj(tokens).chunk(2, dim=-1)
    u = functional.silu(mixer.conv2d(u.view(1, grid.height, grid.width, -1))).flatten(0, 2)
    y = torch.zeros_like(u)
    for scan, order in enumerate(grid.order.tolist()):
        state = torch.zeros_like(mixer.A_log)
        for step, token in enumerate(order):
            # What belongs to the token at this step: its own, or that of the raster.
            source = token if mixer.permute_selective else step
            low, b, c = mixer.x_proj(u[source]).split([mixer.dt_rank] + 2 * [mixer.d_state])
            b = b + mixer.direction_Bs[grid.moves[scan, token]]
            dt = functional.softplus(mixer.dt_proj(low) + mixer.dt_proj.bias)
            decay = torch.exp(-dt[:, None] * mixer.A_log.exp())
            state = decay * state + (dt * u[token])[:, None] * b
            y[token] = y[token] + state @ c + mixer.D * u[token]
    return mixer.out_proj(y * functional.silu(z))


@pytest.mark.parametrize(("height", "width"), GRIDS)
def test_orders_are_those_of_the_scan_operator(height: int, width: int) -> None:
    """The mixer gathers by one table, the operator scans by the other."""
    expected = scan_orders("snake", height, width)
    grid = snake_grid(height, width, device=CPU)
    assert grid.order.tolist() == expected.order.tolist()
    assert grid.inverse.tolist() == expected.inverse.tolist()


@pytest.mark.parametrize(("height", "width"), GRIDS)
def test_moves_lead_from_the_token_before(height: int, width: int) -> None:
    """Right, left, up and down are 1 to 4; the first token has 0."""
    steps = {1: (0, 1), 2: (0, -1), 3: (-1, 0), 4: (1, 0)}
    grid = snake_grid(height, width, device=CPU)
    for order, moves in zip(grid.order.tolist(), grid.moves.tolist(), strict=True):
        assert moves[order[0]] == 0
        for before, token in pairwise(order):
            row, col = steps[moves[token]]
            assert divmod(token, width) == (before // width + row, before % width + col)


@pytest.mark.parametrize("permute_selective", [False, True])
def test_mixer_equals_the_recurrence(permute_selective: bool) -> None:
    config = Config(embed_dims=8, d_state=3, expand=1.5, permute_selective=permute_selective)
    mixer = PlainMamba2D(config).double()
    for parameter in mixer.parameters():
        nn.init.normal_(parameter, std=0.5)
    grid = snake_grid(3, 4, device=CPU)
    tokens = torch.randn(2, 12, 8, dtype=torch.float64)
    with torch.no_grad():
        expected = torch.stack([looped_mixer(mixer, image, grid) for image in tokens])
        torch.testing.assert_close(mixer(tokens, grid), expected)


def test_layer_scale_multiplies_the_branch() -> None:
    torch.manual_seed(0)
    plain = PlainMamba2D(Config(embed_dims=8))
    scaled = PlainMamba2D(Config(embed_dims=8, init_layer_scale=0.5))
    scaled.load_state_dict(plain.state_dict(), strict=False)
    grid = snake_grid(2, 3, device=CPU)
    tokens = torch.randn(1, 6, 8)
    torch.testing.assert_close(scaled(tokens, grid), 0.5 * plain(tokens, grid))


@pytest.mark.parametrize(
    ("name", "backbone", "classifier"),
    [
        ("plainmamba_l1", 7_358_656, 7_551_656),
        ("plainmamba_l2", 25_760_832, 26_145_832),
        ("plainmamba_l3", 50_507_456, 50_956_456),
    ],
)
def test_parameters_equal_the_official_counts(name: str, backbone: int, classifier: int) -> None:
    with torch.device("meta"):
        module = make_classifier(variant(name), in_channels=3, num_classes=1000)
    assert sum(parameter.numel() for parameter in module.parameters()) == classifier
    assert sum(parameter.numel() for parameter in module.backbone.parameters()) == backbone


@pytest.mark.parametrize(
    ("name", "published"), [("plainmamba_l1", 3.0), ("plainmamba_l2", 8.1), ("plainmamba_l3", 14.4)]
)
def test_flops_equal_the_published_ones(name: str, published: float) -> None:
    counted = paper_flops(variant(name), height=224, width=224, num_classes=1000)
    assert counted / 1e9 == pytest.approx(published, rel=0.01)


def test_flops_follow_the_tokens_of_each_block() -> None:
    """Pruned after blocks 8, 18 and 28 to 60 %: 41.6 % fewer, as token pruning published."""
    entering = [196] * 8 + [118] * 10 + [71] * 10 + [43] * 8
    sizes: dict[str, Any] = {"height": 224, "width": 224, "num_classes": 1000}
    config = variant("plainmamba_l3")
    pruned = paper_flops(config, tokens=entering, **sizes)
    assert 1 - pruned / paper_flops(config, **sizes) == pytest.approx(0.416, abs=0.001)


@pytest.mark.parametrize("permute_selective", [False, True])
def test_odd_image_of_five_bands_reaches_every_parameter(permute_selective: bool) -> None:
    config = Config(**SMALL, permute_selective=permute_selective)
    encoder = make_encoder(config, in_channels=5)
    maps = encoder(torch.randn(2, 5, 97, 131))
    sizes = [(25, 33), (13, 17), (7, 9), (4, 5)]
    assert [tuple(features.shape) for features in maps] == [(2, 16, *size) for size in sizes]
    total = torch.stack([features.square().mean() for features in maps]).sum()
    # Raises if the maps do not depend on a parameter.
    gradients = torch.autograd.grad(total, list(encoder.parameters()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_without_pyramid_all_maps_have_the_stride_of_patches() -> None:
    encoder = make_encoder(Config(**SMALL, pyramid=False), in_channels=3)
    assert encoder.strides == (16, 16, 16, 16)
    with torch.inference_mode():
        maps = encoder(torch.randn(1, 3, 33, 48))
    assert [tuple(features.shape) for features in maps] == [(1, 16, 3, 3)] * 4


def test_one_map_gives_four_levels() -> None:
    encoder = make_encoder(Config(**{**SMALL, "out_indices": (3,)}), in_channels=3).eval()
    assert encoder.strides == (4, 8, 16, 32)
    with torch.inference_mode():
        maps = encoder(torch.randn(1, 3, 1, 17))
    assert [tuple(features.shape[2:]) for features in maps] == [(1, 5), (1, 3), (1, 2), (1, 1)]


def test_options_of_the_official_class_build() -> None:
    config = Config(
        **SMALL,
        img_size=(48, 80),
        dt_rank=5,
        with_pos_embed=False,
        final_norm=False,
        use_rms_norm=True,
        bias=False,
        conv_bias=False,
        num_convs_patch_embed=0,
        init_layer_scale=0.1,
    )
    logits = make_classifier(config, in_channels=3, num_classes=7)(torch.randn(2, 3, 40, 56))
    assert logits.shape == (2, 7)
    assert bool(logits.isfinite().all())


def test_checkpoint_of_another_size_gets_its_position_resized() -> None:
    module = make_encoder(Config(**SMALL, img_size=(96, 64)), in_channels=3)
    state = adapt({"backbone.pos_embed": torch.full((1, 196, 16), 2.0)}, module)
    torch.testing.assert_close(state["backbone.pos_embed"], torch.full((1, 24, 16), 2.0))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"embed_dims": 0}, "embed_dims 0.*give sizes of 1 or more"),
        ({"patch_size": 15}, "patch_size is 15"),
        ({"conv_size": 4}, "conv_size 4"),
        ({"layers_with_dwconv": (24,)}, "there are blocks 0 to 23"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        Config(**options)


@pytest.mark.parametrize("out_indices", [(), (3, 1), (0, 24)])
def test_maps_of_absent_blocks_are_refused(out_indices: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="must be blocks from 0 to 23, rising"):
        make_encoder(Config(out_indices=out_indices), in_channels=3)
