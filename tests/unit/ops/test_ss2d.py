"""The fused SS2D scan against its parts, and what torch sees of it."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rsmamba.errors import BackendError, ShapeError
from rsmamba.ops.scan_paths import ScanPaths, scan_orders
from rsmamba.ops.selective_scan.reference import selective_scan_reference
from rsmamba.ops.ss2d import ss2d_scan
from rsmamba.ops.ss2d.composite import ss2d_composite

ALL_PATHS: list[ScanPaths] = ["cross", "cs2d", "cs2d_wrapped", "snake"]
SIZES = [
    {"height": 1, "width": 1, "D": 1, "N": 1, "R": 1},
    {"height": 2, "width": 1, "D": 16, "N": 24, "R": 2},
    {"height": 9, "width": 7, "D": 17, "N": 16, "R": 3},
    {"height": 8, "width": 8, "D": 96, "N": 8, "R": 6},
    {"height": 5, "width": 13, "D": 96, "N": 1, "R": 5},
    {"height": 10, "width": 10, "D": 33, "N": 4, "R": 4},
]
Fixture = Callable[..., Any]


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("paths", ALL_PATHS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_output_and_every_gradient_equal_the_parts(
    size: dict[str, int],
    paths: ScanPaths,
    map_tensors: Fixture,
    with_gradients: Fixture,
    assert_close: Fixture,
) -> None:
    tensors = map_tensors(**size)
    parts = functools.partial(ss2d_composite, paths=paths, backend="torch")
    expected = with_gradients(parts, tensors, torch.float64)
    fused = functools.partial(ss2d_scan, paths=paths, backend="numba")
    assert_close(with_gradients(fused, tensors, torch.float32), expected)


def test_parts_equal_four_plain_loops(map_tensors: Fixture) -> None:
    tensors = map_tensors(batch=1, height=3, width=4, D=2, N=2, R=2)
    pixels, rows = tensors["x"].flatten(1, 2), tensors["projections"].flatten(1, 2)
    expected = torch.zeros_like(pixels)
    for k, order in enumerate(scan_orders("cs2d", 3, 4).order):
        low_rank, B, C = rows[:, None, order, k].split(2, dim=-1)
        one = {name: tensors[name][k : k + 1] for name in ("A", "D", "dt_bias")}
        dt = low_rank @ tensors["dt_weight"][k].T
        y = selective_scan_reference(pixels[:, None, order], dt, B=B, C=C, **one)
        expected[:, order] += y[:, 0]
    y = ss2d_composite(**tensors, paths="cs2d", backend="torch")
    torch.testing.assert_close(y.flatten(1, 2), expected)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_maps_may_be_views_of_channels_first_tensors(
    memory_format: torch.memory_format, map_tensors: Fixture
) -> None:
    tensors = {n: t.float() for n, t in map_tensors(height=6, width=5, D=16, N=8, R=2).items()}
    expected = ss2d_scan(**tensors, paths="cross")
    channels_first = tensors["x"].permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    tensors["x"] = channels_first.permute(0, 2, 3, 1)
    assert torch.equal(ss2d_scan(**tensors, paths="cross"), expected)


def test_half_precision_maps_are_computed_in_float32(map_tensors: Fixture) -> None:
    tensors = map_tensors(height=6, width=5, D=16, N=8, R=2)
    tensors = {name: t.bfloat16() for name, t in tensors.items()}
    expected = ss2d_scan(**{name: t.float() for name, t in tensors.items()}, paths="snake")
    assert torch.equal(ss2d_scan(**tensors, paths="snake"), expected.bfloat16())


def test_autocast_does_not_reach_into_the_operator(map_tensors: Fixture) -> None:
    tensors = {n: t.float() for n, t in map_tensors(height=6, width=5, D=16, N=8, R=2).items()}
    for backend in ("numba", "torch"):
        scan = functools.partial(ss2d_scan, paths="cross", backend=backend)
        expected = scan(**tensors)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(scan(**tensors), expected)


def test_a_batch_item_gets_the_bits_it_gets_alone(map_tensors: Fixture) -> None:
    tensors = map_tensors(batch=3, height=9, width=9, D=32, N=16, R=2)
    tensors = {name: t.float() for name, t in tensors.items()}
    together = ss2d_scan(**tensors, paths="cs2d")
    alone = {n: t[1:2] if n in {"x", "projections"} else t for n, t in tensors.items()}
    assert torch.equal(ss2d_scan(**alone, paths="cs2d"), together[1:2])


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # read by opcheck itself
def test_operator_is_registered_rightly_with_torch(map_tensors: Fixture) -> None:
    tensors = map_tensors(height=9, width=8, D=3, N=8, R=2).values()
    leaves = [tensor.float().requires_grad_() for tensor in tensors]
    operator = torch.ops.rsmamba.ss2d_scan.default
    checks = torch.library.opcheck(operator, (*leaves, "cs2d", True))
    assert set(checks.values()) == {"SUCCESS"}


class Scan(torch.nn.Module):
    """SS2D as a module, for export."""

    def forward(self, x: Tensor, projections: Tensor, others: dict[str, Any]) -> Tensor:
        """Scan and scale."""
        return 2 * ss2d_scan(x, projections, **others, paths="cross")


def test_export_keeps_the_operator_whole(map_tensors: Fixture) -> None:
    tensors = {n: t.float() for n, t in map_tensors(height=4, width=5, D=3, N=8, R=2).items()}
    others = {name: tensors[name] for name in ("dt_weight", "dt_bias", "A", "D")}
    inputs = (tensors["x"], tensors["projections"], others)
    program = torch.export.export(Scan(), inputs)
    assert any("rsmamba.ss2d_scan" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(*inputs), Scan()(*inputs))


def test_numba_by_name_fails_for_float64(map_tensors: Fixture) -> None:
    tensors = map_tensors(height=2, width=2, D=1, N=1, R=1)
    with pytest.raises(BackendError, match="it computes in float32 and the inputs are float64"):
        ss2d_scan(**tensors, paths="cross", backend="numba")


def test_shapes_that_do_not_agree_are_named(map_tensors: Fixture) -> None:
    tensors = map_tensors(height=3, width=3, D=2, N=2, R=1)
    tensors["projections"] = tensors["projections"][..., :-1]
    with pytest.raises(ShapeError, match=r"projections must have shape \(2, 3, 3, 4, 5\)"):
        ss2d_scan(**tensors, paths="cross")


def test_the_number_of_paths_must_fit(map_tensors: Fixture) -> None:
    tensors = map_tensors(height=3, width=3, D=2, N=2, R=1)
    three = {n: t[:3] for n, t in tensors.items() if n in {"A", "D", "dt_bias", "dt_weight"}}
    with pytest.raises(ShapeError, match='paths "cross" has K = 4 paths, A has 3'):
        ss2d_scan(**{**tensors, **three}, paths="cross")


def test_empty_maps_are_refused(map_tensors: Fixture) -> None:
    tensors = map_tensors(height=3, width=3, D=2, N=2, R=1)
    tensors["x"] = tensors["x"][:, :0]
    with pytest.raises(ShapeError, match=r"no empty axis, got \(2, 0, 3, 2\)"):
        ss2d_scan(**tensors, paths="cross")
