"""Counting of multiply-adds."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.models import create_model
from rsmamba.models.flops import count_multiply_adds
from rsmamba.models.layers.ss2d import SS2D


class ChannelsLast(nn.Module):
    """Give a mixer the channels-last map that it takes."""

    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer = mixer

    @override
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Mix an image (1, C, H, W)."""
        mixed: torch.Tensor = self.mixer(image.permute(0, 2, 3, 1))
        return mixed


def test_linear_and_convolution_count_one_for_each_weight_and_pixel() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1))
    assert count_multiply_adds(network, in_channels=3, height=5, width=7) == 35 * (108 + 8)


def test_the_mixer_counts_projections_convolution_and_scan() -> None:
    mixer = SS2D(8, d_state=2, ssm_ratio=2.0, dt_rank=1)
    inner, per_path = 16, 1 + 2 * 2
    linear = 8 * 2 * inner + 9 * inner + 4 * per_path * inner + inner * 8
    scan = 4 * inner * (1 + 4 * 2 + 2)
    counted = count_multiply_adds(ChannelsLast(mixer), in_channels=8, height=6, width=5)
    assert counted == 30 * (linear + scan)


def test_counting_leaves_the_network_usable() -> None:
    network = create_model("cvmh_unet_small", num_classes=2, dct_size="native").train()
    count_multiply_adds(network, in_channels=3, height=64, width=32)
    assert network.training
    with torch.no_grad():
        assert torch.isfinite(network(torch.zeros(1, 3, 64, 32))).all()
