"""The linear layer with GELU."""

import pytest
import torch
from torch.nn import functional

from rsmamba.ops import linear
from rsmamba.ops.linear import linear_gelu


@pytest.mark.parametrize("shape", [(1, 3), (2, 5, 3), (2, 4, 5, 3), (0, 3)])
def test_both_ways_agree(shape: tuple[int, ...]) -> None:
    x, weight, bias = torch.randn(shape), torch.randn(7, 3), torch.randn(7)
    usual = functional.gelu(functional.linear(x, weight, bias))
    with torch.inference_mode():
        torch.testing.assert_close(linear_gelu(x, weight, bias), usual)
    torch.testing.assert_close(linear_gelu(x, weight, bias), usual, rtol=0, atol=0)


def test_a_view_that_is_not_contiguous_is_read_right() -> None:
    x, weight, bias = torch.randn(4, 6, 5).transpose(1, 2), torch.randn(7, 6), torch.randn(7)
    with torch.no_grad():
        given = linear_gelu(x, weight, bias)
        torch.testing.assert_close(given, functional.gelu(functional.linear(x, weight, bias)))


def test_gradients_and_other_types_take_the_usual_layers() -> None:
    x, weight, bias = torch.randn(2, 3), torch.randn(7, 3), torch.randn(7)
    assert not linear._can_fuse(x, weight)
    with torch.no_grad():
        assert linear._can_fuse(x, weight)
        assert not linear._can_fuse(x.double(), weight.double())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not linear._can_fuse(x, weight)
    weight.requires_grad_()
    linear_gelu(x, weight, bias).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
