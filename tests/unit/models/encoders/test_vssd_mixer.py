"""The mixers of VSSD against loops over their formulas."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.models.encoders.vssd import VARIANTS, Config, make_encoder
from rsmamba.models.encoders.vssd.attention import SelfAttention
from rsmamba.models.encoders.vssd.mixer import SSDMixer, Tokens, causal_mix, normalised_mix
from rsmamba.models.encoders.vssd.rotary import rotate
from rsmamba.models.options import config_from_options

HEIGHT, WIDTH, HEADS, CHANNELS, STATES = 3, 4, 4, 3, 8
LENGTH = HEIGHT * WIDTH


def tokens(groups: int) -> Tokens:
    """Make random tokens of two maps."""
    generator = torch.Generator().manual_seed(groups)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return Tokens(
        x=normal(2, LENGTH, HEADS, CHANNELS),
        dt=normal(2, LENGTH, HEADS).exp(),
        A=normal(HEADS).exp(),
        B=normal(2, LENGTH, groups, STATES),
        C=normal(2, LENGTH, groups, STATES),
        D=normal(HEADS),
    )


def mixer(**options: Any) -> SSDMixer:  # noqa: ANN401 - any field of the configuration
    """Make a mixer of few channels in float64, with parameters that all matter."""
    small = {"embed_dim": 8, "num_heads": (2, 2, 2, 2), "d_state": 4}
    module = SSDMixer(config_from_options(Config, small | options), stage=0).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def turned(terms: Tensor) -> Tensor:
    """Rotate terms (batch, L, N) as complex numbers."""
    pairs = STATES // 4
    theta = 10000.0 ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    angles = [
        torch.cat([row * theta, col * theta]) for row in range(HEIGHT) for col in range(WIDTH)
    ]
    turns = torch.polar(torch.ones(LENGTH, STATES // 2).double(), torch.stack(angles))
    numbers = torch.view_as_complex(terms.reshape(2, LENGTH, -1, 2).contiguous())
    return torch.view_as_real(numbers * turns).flatten(2)


def test_rotation_is_a_complex_product() -> None:
    terms = tokens(1).B
    result = rotate(terms, height=HEIGHT, width=WIDTH)
    torch.testing.assert_close(result.squeeze(2), turned(terms.squeeze(2)))


def test_products_of_rotated_terms_depend_on_the_offset_alone() -> None:
    terms = torch.randn(2, STATES, dtype=torch.float64)[:, None].expand(-1, LENGTH, -1)
    query, key = rotate(terms, height=HEIGHT, width=WIDTH).view(2, HEIGHT, WIDTH, STATES)
    one = (query[0, 1] * key[1, 3]).sum()
    other = (query[1, 0] * key[2, 2]).sum()
    torch.testing.assert_close(one, other)


def test_normalised_mix_follows_its_formula() -> None:
    given = tokens(1)
    result = normalised_mix(given, height=HEIGHT, width=WIDTH)
    keys = functional.elu(given.B[:, :, 0]) + 1
    queries = (functional.elu(given.C[:, :, 0]) + 1) / (HEADS * CHANNELS)
    for head in range(HEADS):
        share = LENGTH * torch.softmax(given.dt[:, :, head] * given.A[head], dim=1)
        weighted = share[..., None] * keys
        total = queries @ weighted.mean(dim=1)[..., None] + 1e-6
        state = turned(weighted).transpose(1, 2) @ given.x[:, :, head] / LENGTH
        expected = turned(queries) @ state / total + given.D[head] * given.x[:, :, head]
        torch.testing.assert_close(result[:, :, head], expected)


@pytest.mark.parametrize(("groups", "bidirection"), [(1, False), (2, False), (2, True), (4, True)])
def test_causal_mix_is_the_recurrence_of_mamba_2(groups: int, *, bidirection: bool) -> None:
    given = tokens(groups)
    result = causal_mix(given, bidirection=bidirection)
    for head in range(HEADS):
        group, backwards = head // (HEADS // groups), bidirection and head >= HEADS // 2
        state = torch.zeros(2, STATES, CHANNELS, dtype=torch.float64)
        for at in sorted(range(LENGTH), reverse=backwards):
            dt, x = given.dt[:, at, head, None, None], given.x[:, at, head]
            decayed = torch.exp(-given.A[head] * dt) * state
            state = decayed + dt * given.B[:, at, group, :, None] * x[:, None]
            y = (given.C[:, at, group, :, None] * state).sum(dim=1) + given.D[head] * x
            torch.testing.assert_close(result[:, at, head], y)


def test_mixer_without_positive_weights_subtracts_what_others_tell() -> None:
    torch.manual_seed(0)
    positive = mixer()
    torch.nn.init.zeros_(positive.D)
    negative = mixer(ssd_positive_dA=False)
    negative.load_state_dict(positive.state_dict())
    torch.nn.init.zeros_(negative.norm.bias)
    torch.nn.init.zeros_(positive.norm.bias)
    features = torch.randn(1, HEIGHT, WIDTH, 8, dtype=torch.float64)
    torch.testing.assert_close(negative(features), -positive(features))


def test_gradients_of_a_mixer_on_a_map_that_is_no_square() -> None:
    torch.manual_seed(0)
    module = mixer(ssd_ngroups=2)
    features = torch.randn(1, 2, 3, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (features,))


def test_area_reference_makes_a_repeated_tile_look_the_same() -> None:
    # Zero-padding tells the tiles of a mosaic apart, so this mixer sees single pixels.
    torch.manual_seed(0)
    module = mixer(area_reference=16)
    module.conv2d.weight.data[:, :, [0, 0, 2, 2, 1, 1, 0, 2], [0, 2, 0, 2, 0, 2, 1, 1]] = 0
    tile = torch.randn(1, 4, 4, 8, dtype=torch.float64)
    mosaic = module(tile.repeat(1, 3, 2, 1))
    torch.testing.assert_close(mosaic[:, :4, :4], module(tile))
    plain = mixer()
    plain.load_state_dict(module.state_dict())
    torch.testing.assert_close(plain(tile), module(tile))
    assert not torch.allclose(plain(tile.repeat(1, 3, 2, 1))[:, :4, :4], module(tile))


def test_attention_matches_its_formula() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(10, heads=3).double()
    features = torch.randn(2, HEIGHT, WIDTH, 10, dtype=torch.float64)
    query, key, value = attention.to_qkv(features).flatten(1, 2).chunk(3, dim=-1)
    heads = []
    for at in range(0, 9, 3):
        q, k, v = (part[..., at : at + 3] for part in (query, key, value))
        heads.append(torch.softmax(q @ k.transpose(1, 2) / 3**0.5, dim=-1) @ v)
    expected = attention.to_out(torch.cat(heads, dim=-1)).view_as(features)
    torch.testing.assert_close(attention(features), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("edition", ["arxiv", "iccv"])
def test_mixer_in_half_precision_stands_a_large_tile(edition: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = mixer(edition=edition)
    module.get_parameter("conv2d.bias").data.fill_(3.0)
    features = torch.rand(1, 256, 256, 8, dtype=torch.float64)
    with torch.inference_mode():
        expected = module(features)
        half = module.to(dtype)(features.to(dtype))
    error = (half.double() - expected).abs().max() / expected.abs().max()
    assert error < (0.02 if dtype == torch.float16 else 0.1)


def test_encoder_in_bfloat16_stands_a_large_tile() -> None:
    torch.manual_seed(0)
    options = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (2, 2, 2, 2), "d_state": 4}
    encoder = make_encoder(config_from_options(Config, options), in_channels=3).eval()
    image = torch.rand(1, 3, 1024, 1024)
    with torch.inference_mode():
        exact = encoder(image)
        for features, expected in zip(encoder.bfloat16()(image.bfloat16()), exact, strict=True):
            assert (features - expected).square().mean().sqrt() < 0.05


def test_first_values_are_the_official_ones() -> None:
    module = SSDMixer(config_from_options(Config, VARIANTS["vssd_micro"].options), stage=2)
    rates, steps = module.A_log.exp(), functional.softplus(module.dt_bias)
    assert ((rates >= 1) & (rates <= 16)).all()
    assert ((steps > 0.9e-3) & (steps < 0.11)).all()
    assert (module.D == 1).all()
