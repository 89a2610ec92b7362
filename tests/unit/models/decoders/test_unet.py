"""The decoder of CVMH-UNet behind other encoders: what its convolutions on the image add."""

import pytest
import torch
from torch import Tensor

from rsmamba.errors import OptionError
from rsmamba.models import create_model
from rsmamba.models.decoders.unet import UNetConfig, UNetDecoder

CHANNELS, STRIDES = (8, 16), (4, 8)


def make(*, detail: int) -> UNetDecoder:
    torch.manual_seed(0)
    config = UNetConfig(dim=8, detail=detail)
    return UNetDecoder(CHANNELS, STRIDES, num_classes=3, image_channels=5, config=config).eval()


def draw_maps(height: int, width: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    sides = [(-(-height // stride), -(-width // stride)) for stride in STRIDES]
    return [
        torch.randn(1, dim, *side, generator=generator)
        for dim, side in zip(CHANNELS, sides, strict=True)
    ]


@pytest.mark.parametrize("detail", [0, 4])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (33, 50)])
def test_logits_have_the_size_of_the_image(detail: int, height: int, width: int) -> None:
    logits = make(detail=detail)(draw_maps(height, width), torch.zeros(1, 5, height, width))
    assert logits.shape == (1, 3, height, width)


@torch.no_grad()
def test_details_alone_look_at_the_image() -> None:
    maps, black = draw_maps(64, 96), torch.zeros(1, 5, 64, 96)
    spotted = black.clone()
    spotted[..., 31, 40] = 9.0
    without, decoder = make(detail=0), make(detail=4)
    assert torch.equal(without(maps, spotted), without(maps, black))
    change = (decoder(maps, spotted) - decoder(maps, black)).abs().amax(dim=(0, 1))
    assert change.any()
    # Two convolutions at full resolution, and two at half of it with what they are enlarged from.
    assert not change[:20].any()
    assert not change[:, 52:].any()


def test_every_parameter_learns_with_details() -> None:
    options = {"encoder": {"embed_dim": 16, "depths": [1, 1, 1, 1]}, "decoder": {"detail": 4}}
    network = create_model("vssd_micro+unet", num_classes=2, in_channels=4, **options)
    network(torch.randn(2, 4, 64, 64)).square().mean().backward()
    assert [key for key, value in network.named_parameters() if value.grad is None] == []


def test_a_negative_detail_is_refused() -> None:
    with pytest.raises(OptionError, match=r"detail -1; give a dim .* and a detail of at least 0"):
        UNetConfig(detail=-1)
