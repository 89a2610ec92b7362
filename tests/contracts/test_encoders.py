"""What every encoder promises."""

import math
from typing import Any

import pytest
import torch

from rsmamba.errors import OptionError
from rsmamba.models import create_classifier, create_encoder, list_encoders

Small = tuple[str, dict[str, Any]]


@pytest.mark.parametrize(("bands", "height", "width"), [(3, 97, 131), (5, 64, 40), (1, 33, 17)])
def test_maps_have_the_promised_channels_and_sides(
    small_encoder: Small, bands: int, height: int, width: int
) -> None:
    name, options = small_encoder
    encoder = create_encoder(name, in_channels=bands, **options).eval()
    with torch.no_grad():
        maps = encoder(torch.randn(2, bands, height, width))
    assert len(maps) == len(encoder.out_channels) == len(encoder.strides)
    for feature, channels, stride in zip(maps, encoder.out_channels, encoder.strides, strict=True):
        assert feature.shape[:2] == (2, channels)
        for side, pixels in zip(feature.shape[2:], (height, width), strict=True):
            assert side in {pixels // stride, math.ceil(pixels / stride)}
        assert torch.isfinite(feature).all()


def test_one_image_does_not_change_another(small_encoder: Small) -> None:
    name, options = small_encoder
    encoder = create_encoder(name, **options).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        both, alone = encoder(images), encoder(images[1:])
    for pair, single in zip(both, alone, strict=True):
        torch.testing.assert_close(pair[1:], single, rtol=1e-4, atol=1e-5)


def test_a_gradient_reaches_every_parameter(small_encoder: Small) -> None:
    name, options = small_encoder
    encoder = create_encoder(name, in_channels=5, **options).eval()
    maps = encoder(torch.randn(1, 5, 97, 131))
    sum(feature.square().mean() for feature in maps).backward()
    without = [key for key, parameter in encoder.named_parameters() if parameter.grad is None]
    assert without == []


def test_bfloat16_stays_near_float32(small_encoder: Small) -> None:
    name, options = small_encoder
    torch.manual_seed(0)
    encoder = create_encoder(name, **options).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        exact = encoder(image)
        rough = encoder.to(torch.bfloat16)(image.to(torch.bfloat16))
    for wanted, given in zip(exact, rough, strict=True):
        assert given.dtype == torch.bfloat16
        error = (given.float() - wanted).norm() / wanted.norm()
        assert error < 0.1


def test_the_encoder_compiles_without_a_graph_break(small_encoder: Small) -> None:
    name, options = small_encoder
    encoder = create_encoder(name, **options).eval()
    image = torch.randn(1, 3, 64, 96)
    compiled = torch.compile(encoder, backend="eager", fullgraph=True)
    with torch.no_grad():
        for wanted, given in zip(encoder(image), compiled(image), strict=True):
            torch.testing.assert_close(given, wanted)


def test_the_encoder_exports(small_encoder: Small) -> None:
    name, options = small_encoder
    encoder = create_encoder(name, **options).eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        exported = torch.export.export(encoder, (image,)).module()
        for wanted, given in zip(encoder(image), exported(image), strict=True):
            torch.testing.assert_close(given, wanted)


# All but PlainMamba, whose snakes depend on the parity of the sides; two, since this is slow.
@pytest.mark.parametrize("key", ["vmamba v2", "vssd"])
def test_the_encoder_exports_for_any_size(key: str, small_encoders: dict[str, Small]) -> None:
    name, options = small_encoders[key]
    encoder = create_encoder(name, **options).eval()
    sides = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    other = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        exported = torch.export.export(
            encoder, (torch.randn(1, 3, 64, 96),), dynamic_shapes=(sides,)
        ).module()
        for wanted, given in zip(encoder(other), exported(other), strict=True):
            torch.testing.assert_close(given, wanted)


def test_the_classifier_scores_classes(small_encoder: Small) -> None:
    name, options = small_encoder
    classifier = create_classifier(name, num_classes=7, in_channels=4, **options).eval()
    with torch.no_grad():
        assert classifier(torch.randn(2, 4, 224, 224)).shape == (2, 7)


@pytest.mark.parametrize("create", [create_encoder, create_classifier])
def test_unknown_names_and_options_are_told(create: Any) -> None:  # noqa: ANN401
    with pytest.raises(OptionError, match=r"no encoder is called 'vsd_tiny' \(did you mean"):
        create("vsd_tiny")
    with pytest.raises(OptionError, match="unknown option 'depth_'"):
        create("vssd_tiny", depth_=3)
    with pytest.raises(OptionError, match="in_channels is 0; give 1 or more"):
        create("vssd_tiny", in_channels=0)


def test_every_encoder_is_listed_once() -> None:
    names = list_encoders()
    assert names == sorted(set(names))
    assert len(names) >= 27
