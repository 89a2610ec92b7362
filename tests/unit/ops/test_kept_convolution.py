"""Convolutions at kept places against those of whole maps and sequences."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rsmamba.errors import ShapeError
from rsmamba.ops.kept_convolution import causal_convolution, kept_convolution, kept_neighbours

HEIGHT, WIDTH = 5, 7
SIDES: dict[str, Any] = {"height": HEIGHT, "width": WIDTH}


def kept_index(batch: int, count: int) -> Tensor:
    """Return random kept pixels of each image, rising."""
    rows = [torch.randperm(HEIGHT * WIDTH)[:count].sort().values for _ in range(batch)]
    return torch.stack(rows)


def run(x: Tensor, conv: nn.Conv2d, index: Tensor) -> Tensor:
    """Convolve at kept pixels."""
    neighbours = kept_neighbours(index, kernel=conv.kernel_size[0], **SIDES)
    return kept_convolution(x, conv.weight, conv.bias, index=index, neighbours=neighbours, **SIDES)


def on_a_map_of_zeros(x: Tensor, conv: nn.Conv2d, index: Tensor) -> Tensor:
    """Convolve the whole map and read it at the kept pixels."""
    cells = torch.zeros(len(x), HEIGHT * WIDTH, x.shape[2], dtype=x.dtype)
    for image, places in enumerate(index):
        cells[image, places] = x[image]
    done = conv(cells.view(len(x), HEIGHT, WIDTH, -1).permute(0, 3, 1, 2)).flatten(2).mT
    return torch.stack([done[image, places] for image, places in enumerate(index)])


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize(("count", "channels"), [(1, 16), (11, 48), (35, 16), (6, 20)])
def test_it_equals_a_map_with_zeros(count: int, channels: int, kernel: int) -> None:
    conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
    index, wide = kept_index(3, count), torch.randn(3, count, 2 * channels)
    x = wide[..., :channels]
    with torch.no_grad():
        torch.testing.assert_close(run(x, conv, index), on_a_map_of_zeros(x, conv, index))


def test_gradients_reach_inputs_and_weights() -> None:
    conv = nn.Conv2d(16, 16, 3, padding=1, groups=16).double()
    index = kept_index(2, 9)
    x = torch.randn(2, 9, 16, dtype=torch.float64, requires_grad=True)
    given = torch.autograd.grad(run(x, conv, index).square().sum(), [x, *conv.parameters()])
    wanted = torch.autograd.grad(
        on_a_map_of_zeros(x.clone(), conv, index).square().sum(), [x, *conv.parameters()]
    )
    torch.testing.assert_close(given, wanted)


@pytest.mark.parametrize(("length", "channels", "size"), [(1, 16, 4), (9, 32, 4), (9, 8, 3)])
def test_a_causal_convolution_sees_what_came_before(length: int, channels: int, size: int) -> None:
    conv = nn.Conv1d(channels, channels, size, groups=channels)
    x = torch.randn(2, length, channels)
    padded = functional.pad(x.mT, (size - 1, 0))
    with torch.no_grad():
        torch.testing.assert_close(causal_convolution(x, conv.weight, conv.bias), conv(padded).mT)
        turned = causal_convolution(x, conv.weight, conv.bias, reverse=True)
        wanted = conv(functional.pad(x.flip(1).mT, (size - 1, 0))).mT.flip(1)
        torch.testing.assert_close(turned, wanted)
    trained = causal_convolution(x, conv.weight, conv.bias, reverse=True)
    assert trained.requires_grad
    torch.testing.assert_close(trained.detach(), turned)


def test_neighbours_of_another_kernel_are_refused() -> None:
    index = kept_index(1, 4)
    neighbours = kept_neighbours(index, kernel=3, **SIDES)
    with pytest.raises(ShapeError, match=r"neighbours must have shape \(1, 4, 25\)"):
        kept_convolution(
            torch.zeros(1, 4, 16),
            torch.zeros(16, 1, 5, 5),
            None,
            index=index,
            neighbours=neighbours,
            **SIDES,
        )
