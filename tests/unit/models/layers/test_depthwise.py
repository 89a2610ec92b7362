"""Tests of the depth-wise convolution on channels-last maps."""

import pytest
import torch

from rsmamba.errors import OptionError
from rsmamba.models.layers.depthwise import DepthwiseConv2d


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (7, 2)])
def test_depthwise_matches_a_grouped_convolution(kernel: int, stride: int) -> None:
    layer = DepthwiseConv2d(6, kernel=kernel, stride=stride).double()
    features = torch.randn(2, 9, 7, 6, dtype=torch.float64)
    expected = torch.nn.functional.conv2d(
        features.permute(0, 3, 1, 2).contiguous(),
        layer.weight,
        layer.bias,
        stride=stride,
        padding=kernel // 2,
        groups=6,
    )
    torch.testing.assert_close(layer(features).permute(0, 3, 1, 2), expected)


def test_depthwise_keeps_the_memory_order() -> None:
    assert DepthwiseConv2d(8)(torch.randn(1, 5, 7, 8)).is_contiguous()


def test_depthwise_without_bias_has_one_parameter() -> None:
    names = [name for name, _ in DepthwiseConv2d(4, bias=False).named_parameters()]
    assert names == ["weight"]


def test_depthwise_refuses_an_even_kernel() -> None:
    with pytest.raises(OptionError, match="kernel is 4; give an odd side"):
        DepthwiseConv2d(4, kernel=4)
