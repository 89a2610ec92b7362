"""Tests of the resize of position embeddings."""

import torch

from rsmamba.models.layers.position import resize_position_embedding, resize_square_embedding


def test_same_grid_is_the_same_tensor() -> None:
    position = torch.randn(1, 6, 4)
    assert resize_position_embedding(position, source=(2, 3), target=(2, 3)) is position


def test_rows_and_columns_keep_their_direction() -> None:
    """An embedding that rises with the row does so on the new grid, and not with the column."""
    rising = torch.arange(4.0).repeat_interleave(4).view(1, 16, 1)
    cells = resize_position_embedding(rising, source=(4, 4), target=(8, 5)).view(8, 5)
    assert bool((cells.diff(dim=0) > 0).all())
    torch.testing.assert_close(cells, cells[:, :1].expand(8, 5))


def test_half_precision_is_resized_in_float32() -> None:
    position = torch.randn(1, 16, 4).bfloat16()
    resized = resize_position_embedding(position, source=(4, 4), target=(7, 3))
    expected = resize_position_embedding(position.float(), source=(4, 4), target=(7, 3))
    assert torch.equal(resized, expected.bfloat16())


def test_square_is_found_and_anything_else_left_alone() -> None:
    assert resize_square_embedding(torch.ones(1, 9, 2), target=(2, 5)).shape == (1, 10, 2)
    oblong = torch.ones(1, 8, 2)
    assert resize_square_embedding(oblong, target=(2, 5)) is oblong
