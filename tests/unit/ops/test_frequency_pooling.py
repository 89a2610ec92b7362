"""Pooling through frequency images against its definition written out."""

import pytest
import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.frequency_pooling import frequency_pool


def written_out(features: Tensor, basis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Materialise every product; autograd does the rest."""
    products = features[:, None] * basis[None, :, :, None]  # (B, F, L, C)
    return products.mean(2).mean(1), products.amax(2).mean(1), products.amin(2).mean(1)


@pytest.mark.parametrize("shape", [(2, 35, 3, 16), (1, 1, 1, 1), (3, 7, 17, 2)])
def test_outputs_and_gradient_equal_the_definition(shape: tuple[int, int, int, int]) -> None:
    """In float64, where an extreme is hardly ever shared."""
    batch, length, channels, frequencies = shape
    torch.manual_seed(0)
    features = torch.randn(batch, length, channels, dtype=torch.float64, requires_grad=True)
    basis = torch.randn(frequencies, length, dtype=torch.float64)
    weights = [torch.randn(batch, channels, dtype=torch.float64) for _ in range(3)]
    gradients = []
    for pool in (frequency_pool, written_out):
        pooled = pool(features, basis)
        total = torch.stack(pooled).mul(torch.stack(weights)).sum()
        gradients.append((pooled, torch.autograd.grad(total, features)[0]))
    (ours, our_gradient), (theirs, their_gradient) = gradients
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-12, atol=1e-12)


def test_inference_gives_the_same_values_as_training() -> None:
    """The two paths differ in what they keep, not in what they return."""
    features = torch.randn(2, 20, 5, requires_grad=True)
    basis = torch.randn(4, 20)
    trained = frequency_pool(features, basis)
    with torch.no_grad():
        torch.testing.assert_close(frequency_pool(features, basis), trained)


@pytest.mark.parametrize("shape", [(2, 35, 48, 16), (1, 1, 16, 1), (3, 130, 32, 11)])
def test_the_kernel_equals_the_definition(shape: tuple[int, int, int, int]) -> None:
    """Tiles, blocks and groups of images, whole and cut off."""
    batch, length, channels, frequencies = shape
    features = torch.randn(batch, channels, length).transpose(1, 2)
    basis = torch.randn(length, frequencies).T
    expected = torch.stack(written_out(features, basis)[1:])
    pooled = torch.stack(frequency_pool(features, basis)[1:])
    torch.testing.assert_close(pooled, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_carried_along(value: float) -> None:
    """As torch does: a pooled channel shows that something is wrong in it."""
    features = torch.randn(1, 20, 16)
    features[0, 7, 3] = value
    basis = torch.rand(4, 20) + 1
    for ours, theirs in zip(
        frequency_pool(features, basis), written_out(features, basis), strict=True
    ):
        torch.testing.assert_close(ours, theirs, equal_nan=True)


def test_shapes_that_do_not_fit_are_named() -> None:
    """The message shows both."""
    with pytest.raises(ShapeError, match=r"features \(1, 4, 2\) and basis \(3, 5\) do not fit"):
        frequency_pool(torch.zeros(1, 4, 2), torch.zeros(3, 5))
