"""The convolution of several maps against the plain one of all in one."""

import pytest
import torch
from torch import nn

from rsmamba.models.layers.detail import DetailConv

SPLIT = (5, 3)


def layer_and_plain(*, training: bool, stride: int = 1) -> tuple[DetailConv, nn.Sequential]:
    """A layer of any first values and statistics, and torch's own three layers with the same."""
    torch.manual_seed(0)
    layer = DetailConv(sum(SPLIT), 4, stride=stride).double()
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) - 0.3 * (tensor.dim() == 4))
    plain = nn.Sequential(
        nn.Conv2d(sum(SPLIT), 4, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(4)
    ).double()
    plain.load_state_dict(layer.state_dict())
    plain.append(nn.ReLU())
    return layer.train(training), plain.train(training)


def gradients(network: nn.Module, *maps: torch.Tensor) -> list[torch.Tensor]:
    """Result, then the gradients of inputs and weights."""
    inputs = [features.clone().requires_grad_() for features in maps]
    result = network(*inputs) if isinstance(network, DetailConv) else network(torch.cat(inputs, 1))
    result.square().sum().backward()
    tensors = [result, *(x.grad for x in inputs), *(p.grad for p in network.parameters())]
    return [tensor.detach() for tensor in tensors if tensor is not None]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_several_maps_give_what_their_concatenation_gives(training: bool, stride: int) -> None:
    layer, plain = layer_and_plain(training=training, stride=stride)
    maps = [torch.randn(2, channels, 8, 6, dtype=torch.float64) for channels in SPLIT]

    ours, expected = gradients(layer, *maps), gradients(plain, *maps)

    assert len(ours) == len(expected) == 6
    for value, reference in zip(ours, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-10, atol=1e-10)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[name], value, rtol=1e-10, atol=1e-10)


def test_statistics_move_in_training_only() -> None:
    layer, _ = layer_and_plain(training=True)
    norm = layer[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert isinstance(norm.running_mean, torch.Tensor)
    before = norm.running_mean.clone()

    layer.eval()(torch.randn(1, sum(SPLIT), 4, 4, dtype=torch.float64))
    torch.testing.assert_close(norm.running_mean, before, rtol=0, atol=0)

    layer.train()(torch.randn(1, sum(SPLIT), 4, 4, dtype=torch.float64))
    assert (norm.running_mean != before).all()
