"""The selective scan: each backend against the plain loop in float64."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.selective_scan import selective_scan
from rsmamba.ops.selective_scan.reference import selective_scan_reference

BACKENDS: list[Backend] = ["numba", "torch"]
# Every length, width, number of states and groups at least once; full blocks and tails of each.
SIZES = [
    {"K": 1, "L": 1, "D": 1, "N": 1},
    {"K": 4, "L": 2, "D": 16, "N": 4},
    {"K": 1, "L": 63, "D": 17, "N": 16},
    {"K": 4, "L": 64, "D": 96, "N": 8},
    {"K": 1, "L": 65, "D": 16, "N": 24},
    {"K": 4, "L": 100, "D": 17, "N": 1},
    {"K": 1, "L": 100, "D": 96, "N": 16},
    {"K": 4, "L": 65, "D": 1, "N": 8},
    {"K": 1, "L": 2, "D": 96, "N": 24},
    {"K": 4, "L": 63, "D": 16, "N": 1},
    {"K": 1, "L": 500, "D": 17, "N": 16},
    {"K": 4, "L": 500, "D": 96, "N": 1},
    {"K": 1, "L": 130, "D": 33, "N": 3},
]
Fixture = Callable[..., Any]


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_output_and_every_gradient_equal_the_loop(
    size: dict[str, int],
    backend: Backend,
    scan_tensors: Fixture,
    with_gradients: Fixture,
    assert_close: Fixture,
) -> None:
    tensors = scan_tensors(**size)
    expected = with_gradients(selective_scan_reference, tensors, torch.float64)
    scan = functools.partial(selective_scan, backend=backend)
    assert_close(with_gradients(scan, tensors, torch.float32), expected)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("backend", BACKENDS)
def test_step_sizes_may_come_without_softplus_bias_and_skip(
    backend: Backend, scan_tensors: Fixture, with_gradients: Fixture, assert_close: Fixture
) -> None:
    tensors = scan_tensors(L=70, D=5, N=8)
    tensors["dt"] = tensors["dt"].abs() / 8
    del tensors["D"], tensors["dt_bias"]
    reference = functools.partial(selective_scan_reference, softplus=False)
    scan = functools.partial(selective_scan, softplus=False, backend=backend)
    expected = with_gradients(reference, tensors, torch.float64)
    assert_close(with_gradients(scan, tensors, torch.float32), expected)


def strided(tensor: Tensor) -> Tensor:
    """Return the same values with every other number of its memory unused."""
    wide = torch.full((*tensor.shape, 2), torch.nan, dtype=tensor.dtype)
    wide[..., 0] = tensor
    return wide[..., 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", [strided, lambda t: t.transpose(0, -1).clone().transpose(0, -1)])
def test_inputs_need_not_be_contiguous(
    layout: Callable[[Tensor], Tensor],
    backend: Backend,
    scan_tensors: Fixture,
    with_gradients: Fixture,
    assert_close: Fixture,
) -> None:
    tensors = scan_tensors(K=4, L=66, D=17, N=8)

    def scan(**leaves: Tensor) -> Tensor:
        views: dict[str, Any] = {name: layout(leaf) for name, leaf in leaves.items()}
        return selective_scan(**views, backend=backend)

    expected = with_gradients(selective_scan_reference, tensors, torch.float64)
    assert_close(with_gradients(scan, tensors, torch.float32), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype, scan_tensors: Fixture) -> None:
    tensors = {name: t.to(dtype) for name, t in scan_tensors(L=80, D=16, N=8).items()}
    y = selective_scan(**tensors)
    expected = selective_scan(**{name: t.float() for name, t in tensors.items()})
    assert y.dtype == dtype
    assert torch.equal(y, expected.to(dtype))


def test_torch_path_passes_gradcheck(scan_tensors: Fixture) -> None:
    tensors = {name: t.requires_grad_() for name, t in scan_tensors(K=2, L=66, D=2, N=2).items()}
    tensors = {name: t[:1, :, -3:] if t.ndim == 4 else t for name, t in tensors.items()}

    def scan(*leaves: Tensor) -> Tensor:
        return selective_scan(**dict(zip(tensors, leaves, strict=True)))

    assert torch.autograd.gradcheck(
        scan, tuple(t.detach().requires_grad_() for t in tensors.values())
    )


def test_long_memories_do_not_drift() -> None:
    """A state that hardly decays is off by the rounding of its decay alone, half a bit a token."""
    ones = torch.ones(1, 1, 8192, 1)
    x = ones.clone()
    x[:, :, 1:] = 0
    rates = torch.full((1, 1, 1), -1e-4)
    y = selective_scan(x, ones, rates, B=ones, C=ones, softplus=False)
    expected = torch.exp(-1e-4 * torch.arange(8192.0, dtype=torch.float64))
    torch.testing.assert_close(y.flatten().double(), expected, rtol=3e-4, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_in_one_channel_stays_there(backend: Backend, scan_tensors: Fixture) -> None:
    tensors = {name: t.float() for name, t in scan_tensors(batch=1, L=70, D=18, N=4).items()}
    tensors["x"][0, 0, 5, 17] = torch.nan
    bad = selective_scan(**tensors, backend=backend).isnan()
    assert bool(bad[0, 0, 5:, 17].all())
    assert int(bad.sum()) == 65


@pytest.mark.parametrize("backend", BACKENDS)
def test_extreme_step_sizes_stay_finite(backend: Backend, scan_tensors: Fixture) -> None:
    tensors = {name: t.float() for name, t in scan_tensors(L=70, D=16, N=16).items()}
    tensors["dt"] = torch.linspace(-200, 200, tensors["dt"].numel()).reshape(tensors["dt"].shape)
    expected = selective_scan_reference(**{name: t.double() for name, t in tensors.items()})
    y = selective_scan(**tensors, backend=backend).double()
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # read by opcheck itself
@pytest.mark.parametrize("backend", BACKENDS)
def test_operator_is_registered_rightly_with_torch(backend: Backend, scan_tensors: Fixture) -> None:
    tensors = scan_tensors(L=66, D=3, N=8).values()
    leaves = [tensor.float().requires_grad_() for tensor in tensors]
    checks = torch.library.opcheck(
        torch.ops.rsmamba.selective_scan.default, (*leaves, True, True, backend)
    )
    assert set(checks.values()) == {"SUCCESS"}


def test_shapes_that_do_not_agree_are_named(scan_tensors: Fixture) -> None:
    tensors = scan_tensors(L=4, D=3, N=2)
    tensors["B"] = tensors["B"][:, :, 1:]
    with pytest.raises(ShapeError, match=r"B must have shape \(2, 1, 4, 2\).* got \(2, 1, 3, 2\)"):
        selective_scan(**tensors)


def test_empty_and_flat_inputs_are_refused(scan_tensors: Fixture) -> None:
    tensors = scan_tensors(L=4, D=3, N=2)
    with pytest.raises(ShapeError, match=r"no empty axis, got \(2, 1, 0, 3\)"):
        selective_scan(**{**tensors, "x": tensors["x"][:, :, :0]})
    with pytest.raises(ShapeError, match=r"x of shape \(batch, K, L, D\)"):
        selective_scan(**{**tensors, "x": tensors["x"][0]})
