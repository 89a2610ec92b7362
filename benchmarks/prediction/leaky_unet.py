"""A U-Net whose error grows towards the edge of its input, as that of a trained one does.

Weights are random; what comes up from the deeper levels is damped so that a lone tile's error falls
with the distance from its edge. Zero padding and an input far from zero make the edge wrong.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

_CHANNELS = (12, 24, 48, 96, 128)
# From the deepest level up; chosen by the error curve of a lone tile alone.
_DAMPING = (0.17, 0.13, 0.5, 0.9)
_INPUT_OFFSET = 3.0


class Block(nn.Module):
    """Two 3 x 3 convolutions.

    Args:
        inside: Channels in.
        outside: Channels out.
    """

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, padding=1)
        self.second = nn.Conv2d(outside, outside, 3, padding=1)

    @override
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.second(functional.relu(self.first(features))))


class LeakyUNet(nn.Module):
    """A U-Net of five levels with random weights and logits of mean 0 and spread 1.

    Args:
        num_classes: Classes K.
        seed: Seed of the weights.
    """

    def __init__(self, *, num_classes: int = 6, seed: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        sizes = (3, *_CHANNELS)
        self.encoder = nn.ModuleList(Block(inside, outside) for inside, outside in pairwise(sizes))
        below = _CHANNELS[:0:-1]
        beside = _CHANNELS[-2::-1]
        self.decoder = nn.ModuleList(
            Block(deep + skip, skip) for deep, skip in zip(below, beside, strict=True)
        )
        self.head = nn.Conv2d(_CHANNELS[0], num_classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        self.register_buffer("mean", torch.zeros(1, num_classes, 1, 1))
        self.register_buffer("spread", torch.ones(1, num_classes, 1, 1))
        self._standardise()

    @override
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        skips: list[torch.Tensor] = []
        features = pixels + _INPUT_OFFSET
        for level, block in enumerate(self.encoder):
            features = block(functional.max_pool2d(features, 2) if level else features)
            skips.append(features)
        for block, skip, damping in zip(self.decoder, skips[-2::-1], _DAMPING, strict=True):
            raised = damping * functional.interpolate(features, scale_factor=2.0)
            features = block(torch.cat([raised, skip], dim=1))
        logits: torch.Tensor = self.head(features)
        return (logits - self.get_buffer("mean")) / self.get_buffer("spread")

    @torch.inference_mode()
    def _standardise(self) -> None:
        inner = self(textured_image(768, seed=9))[..., 128:-128, 128:-128]
        self.get_buffer("mean").copy_(inner.mean(dim=(0, 2, 3), keepdim=True))
        self.get_buffer("spread").copy_(inner.std(dim=(0, 2, 3), keepdim=True))


def textured_image(side: int, *, seed: int) -> torch.Tensor:
    """Make an image with structure at several scales.

    Args:
        side: Rows and columns, pixels.
        seed: Seed of the noise.

    Returns:
        Pixels (1, 3, side, side) of spread 1.
    """
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(1, 3, side, side)
    for scale in (1, 4, 16, 64):
        cells = side // scale + 2
        noise = torch.randn(1, 3, cells, cells, generator=generator)
        if scale > 1:
            noise = functional.interpolate(noise, scale_factor=float(scale), mode="bilinear")
        image += noise[..., :side, :side]
    return image / image.std()
