"""DCT bases against their defining properties."""

import pytest
import torch

from rsmamba.errors import ShapeError
from rsmamba.ops.dct import TOP16_FREQUENCIES, dct_basis


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 32), (64, 16), (128, 128)])
def test_the_sixteen_images_are_orthonormal(height: int, width: int) -> None:
    basis = dct_basis(TOP16_FREQUENCIES, height, width).flatten(1).double()
    torch.testing.assert_close(basis @ basis.T, torch.eye(16).double(), atol=2e-6, rtol=0)


def test_frequency_zero_is_the_constant_image() -> None:
    basis = dct_basis([(0, 0)], 4, 9)
    torch.testing.assert_close(basis, torch.full((1, 4, 9), 1 / 6))


def test_frequencies_follow_the_size_of_the_map() -> None:
    row = dct_basis([(0, 1)], 1, 16)[0, 0]
    signs = (row[1:] * row[:-1] < 0).sum()
    assert signs == 2  # 16 // 7 doubles the frequency: two half periods


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (7, 100)])
def test_any_map_size_has_finite_bases(height: int, width: int) -> None:
    basis = dct_basis(TOP16_FREQUENCIES, height, width)
    assert basis.shape == (16, height, width)
    assert bool(basis.isfinite().all())


def test_empty_maps_and_negative_frequencies_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 1 x 1 pixels and frequencies of at least 0"):
        dct_basis([(0, 0)], 0, 4)
    with pytest.raises(ShapeError, match=r"got 4 x 4 and \[\(0, -1\)\]"):
        dct_basis([(0, -1)], 4, 4)
