"""Scan orders against the tables of the papers, and expand and merge against each other."""

import pytest
import torch

from rsmamba.errors import OptionError, ShapeError
from rsmamba.ops.scan_paths import ScanPaths, expand, merge, scan_orders

ALL_PATHS: list[ScanPaths] = ["cross", "cs2d", "cs2d_wrapped", "snake", "one_way", "two_ways"]
TABLES: dict[ScanPaths, list[str]] = {
    "cross": ["012345678", "036147258", "876543210", "852741630"],
    "cs2d": ["012345678", "036147258", "013246578", "215048376"],
    "cs2d_wrapped": ["012345678", "036147258", "048156237", "057138246"],
    "snake": ["012543678", "876345210", "036741258", "852147630"],
    "one_way": ["012345678"] * 4,
    "two_ways": ["012345678", "012345678", "876543210", "876543210"],
}


@pytest.mark.parametrize("paths", ALL_PATHS)
def test_orders_of_a_3x3_map_equal_the_published_tables(paths: ScanPaths) -> None:
    expected = [[int(pixel) for pixel in row] for row in TABLES[paths]]
    assert scan_orders(paths, 3, 3).order.tolist() == expected


def test_cs2d_diagonals_of_a_flat_map_are_not_wrapped() -> None:
    order = scan_orders("cs2d", 2, 3).order
    assert order[2].tolist() == [0, 1, 3, 2, 4, 5]
    assert order[3].tolist() == [2, 1, 5, 0, 4, 3]


@pytest.mark.parametrize("paths", ALL_PATHS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (6, 1), (5, 8), (9, 4)])
def test_inverse_undoes_order(paths: ScanPaths, height: int, width: int) -> None:
    orders = scan_orders(paths, height, width)
    identity = torch.arange(height * width).expand(4, -1)
    assert torch.equal(orders.inverse.gather(1, orders.order), identity)


def test_snake_moves_to_a_neighbour_at_every_step() -> None:
    order = scan_orders("snake", 5, 6).order
    row, col = order // 6, order % 6
    steps = row.diff(dim=1).abs() + col.diff(dim=1).abs()
    assert bool((steps == 1).all())


@pytest.mark.parametrize("paths", ALL_PATHS)
def test_merge_of_expand_is_the_map_once_for_each_path(paths: ScanPaths) -> None:
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(merge(expand(x, paths), 5, 3, paths=paths), 4 * x)


@pytest.mark.parametrize("paths", ALL_PATHS)
def test_gradient_of_expand_is_merge(paths: ScanPaths) -> None:
    x = torch.randn(2, 4, 3, 2, requires_grad=True)
    y = expand(x, paths)
    dy = torch.randn_like(y)
    (dx,) = torch.autograd.grad(y, x, dy)
    torch.testing.assert_close(dx, merge(dy, 4, 3, paths=paths))


def test_orders_first_asked_for_in_inference_mode_can_be_trained_with() -> None:
    with torch.inference_mode():
        expand(torch.zeros(1, 11, 13, 1), "cross")
    x = torch.ones(1, 11, 13, 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(expand(x, "cross").sum(), x)
    assert bool((gradient == 4).all())


def test_unknown_paths_are_refused_with_the_choices() -> None:
    with pytest.raises(OptionError, match='"spiral" are not known; choose one of cross, cs2d'):
        scan_orders("spiral", 3, 3)  # type: ignore[arg-type]  # the point of the test


def test_empty_maps_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 1 x 1 pixels, got 0 x 3"):
        scan_orders("cross", 0, 3)


def test_expand_refuses_what_is_not_a_map() -> None:
    with pytest.raises(ShapeError, match=r"\(B, H, W, D\), got \(2, 3, 4\)"):
        expand(torch.zeros(2, 3, 4), "cross")


def test_merge_refuses_sequences_of_another_map() -> None:
    with pytest.raises(ShapeError, match=r"\(B, 4, 12, D\) for paths \"cs2d\" and a map of 3 x 4"):
        merge(torch.zeros(1, 4, 9, 2), 3, 4, paths="cs2d")
