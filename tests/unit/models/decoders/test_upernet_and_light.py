"""UPerNet and the light head: sizes, geometry, any size of image."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.errors import OptionError
from rsmamba.models.decoders.base import Decoder
from rsmamba.models.decoders.enlarging import enlarge
from rsmamba.models.decoders.light import LightConfig, LightDecoder
from rsmamba.models.decoders.upernet import UPerNetConfig, UPerNetDecoder

CHANNELS, STRIDES = (6, 8, 10, 12), (4, 8, 16, 32)
DECODERS = [UPerNetDecoder, LightDecoder]
CONFIGS: dict[type[Any], type[Any]] = {UPerNetDecoder: UPerNetConfig, LightDecoder: LightConfig}


def make(kind: type[Any], strides: Sequence[int] = STRIDES, *, norm: str = "batch") -> Decoder:
    """Build a narrow decoder."""
    decoder: Decoder = kind(
        CHANNELS[: len(strides)],
        strides,
        num_classes=3,
        config=CONFIGS[kind](channels=16, norm=norm),
    )
    return decoder


def image_of(height: int, width: int) -> Tensor:
    return torch.zeros(2, 3, height, width)


def draw_maps(height: int, width: int, *, strides: Sequence[int] = STRIDES) -> list[Tensor]:
    generator = torch.Generator().manual_seed(height + width)
    sides = [(-(-height // stride), -(-width // stride)) for stride in strides]
    pairs = zip(CHANNELS, sides, strict=False)
    return [torch.randn(2, dim, *side, generator=generator) for dim, side in pairs]


@pytest.mark.parametrize(("classes", "count"), [(150, 29_678_742), (6, 29_604_870)])
def test_parameters_of_the_papers_head(classes: int, count: int) -> None:
    with torch.device("meta"):
        decoder = UPerNetDecoder((64, 128, 256, 512), STRIDES, num_classes=classes)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == count


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("strides", [STRIDES, (16, 16, 16), (14,)])
@pytest.mark.parametrize(("height", "width"), [(97, 131), (64, 96), (1, 5)])
def test_logits_have_the_size_of_the_image(
    kind: type[Any], strides: Sequence[int], height: int, width: int
) -> None:
    decoder = make(kind, strides).eval()
    logits = decoder(draw_maps(height, width, strides=strides), image_of(height, width))
    assert logits.shape == (2, 3, height, width)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_gradient_reaches_every_parameter(kind: type[Any], norm: str) -> None:
    decoder = make(kind, norm=norm)
    decoder(draw_maps(97, 131), image_of(97, 131)).square().mean().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", DECODERS)
def test_group_norm_learns_from_one_image(kind: type[Any]) -> None:
    """BatchNorm has a single value a channel where the whole map is pooled to one pixel."""
    decoder = make(kind, norm="group")
    maps = [features[:1] for features in draw_maps(40, 40)]
    decoder(maps, image_of(40, 40)).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in decoder.parameters())


@pytest.mark.parametrize("kind", DECODERS)
def test_every_map_counts(kind: type[Any]) -> None:
    decoder = make(kind).eval()
    maps = draw_maps(64, 96)
    logits = decoder(maps, image_of(64, 96))
    for level in range(len(maps)):
        changed = [m + (1.0 if index == level else 0.0) for index, m in enumerate(maps)]
        assert (decoder(changed, image_of(64, 96)) - logits).abs().max() > 1e-4


def test_light_head_is_the_head_of_segformer() -> None:
    """Project, enlarge, join, project again: one layer a level does what their two do."""
    generator = torch.Generator().manual_seed(1)
    decoder = LightDecoder(
        CHANNELS, STRIDES, num_classes=3, config=LightConfig(channels=5)
    ).double()
    first = [torch.randn(7, dim, generator=generator).double() for dim in CHANNELS]
    second = torch.randn(5, 4 * 7, generator=generator).double()
    parts = zip(decoder.projections, second.chunk(4, dim=1), first, strict=True)
    for projection, joint, own in parts:
        projection.weight = torch.nn.Parameter((joint @ own)[..., None, None])
    maps = [features.double() for features in draw_maps(64, 96)]
    enlarged = [
        functional.interpolate(
            torch.einsum("oc,bchw->bohw", own, features), size=(16, 24), mode="bilinear"
        )
        for own, features in zip(first, maps, strict=True)
    ]
    joined = torch.einsum("oc,bchw->bohw", second, torch.cat(enlarged, dim=1))
    plain = decoder.eval().head(decoder.act(decoder.norm(joined)))
    plain = functional.interpolate(plain, size=(64, 96), mode="bilinear")
    torch.testing.assert_close(decoder(maps, image_of(64, 96)), plain)


def test_enlarging_keeps_places() -> None:
    """A ramp over the image stays the ramp where the last cell lies partly outside."""
    centres = torch.arange(7.0) * 4 + 1.5  # of cells of 4 pixels that cover 25 of 28
    features = centres.expand(1, 1, 7, 7)
    enlarged = enlarge(features, factor=4, size=(25, 25))
    ramp = torch.arange(25.0)
    torch.testing.assert_close(enlarged[0, 0, 0, 2:24], ramp[2:24])


@pytest.mark.parametrize("size", [(30, 28), (20, 28), (7, 7)])
def test_enlarging_stretches_where_the_factor_is_wrong(size: tuple[int, int]) -> None:
    features = torch.randn(1, 2, 7, 7, generator=torch.Generator().manual_seed(2))
    expected = functional.interpolate(features, size=size, mode="bilinear")
    torch.testing.assert_close(enlarge(features, factor=4, size=size), expected)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (UPerNetConfig, {"pool_scales": (1, 0)}),
        (UPerNetConfig, {"dropout": 1.0}),
        (LightConfig, {"channels": 0}),
        (LightConfig, {"dropout": -0.1}),
    ],
)
def test_wrong_options_are_named(config: type[Any], options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        config(**options)
