"""The adapter of mamba-ssm's extension, with a stand-in that has the extension's interface."""

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from rsmamba.errors import BackendError, MissingPackageError, ShapeError
from rsmamba.ops import dispatch
from rsmamba.ops.selective_scan import selective_scan
from rsmamba.ops.selective_scan.chunked import ScanInputs, chunked_backward, chunked_forward
from rsmamba.ops.selective_scan.mamba_ssm import mamba_ssm_forward
from rsmamba.ops.selective_scan.reference import selective_scan_reference

Fixture = Callable[..., Any]


def as_ours(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, *, D: Tensor | None,
    delta_bias: Tensor | None,
) -> ScanInputs:  # fmt: skip
    """Lay tensors of the extension out as our own operators want them."""
    batch, groups, states, length = B.shape
    x, dt, b, c = (t.view(batch, groups, -1, length).transpose(2, 3) for t in (u, delta, B, C))
    skip, bias = (None if p is None else p.view(groups, -1) for p in (D, delta_bias))
    return ScanInputs(x, dt, A.view(groups, -1, states), b, c, skip, bias)


def as_theirs(rows: Tensor) -> Tensor:
    """Lay sequences out as the extension does."""
    return rows.transpose(2, 3).flatten(1, 2)


def check_layout(*tensors: Tensor) -> None:
    """Check what the extension checks: one type, and contiguous along the sequence."""
    assert len({tensor.dtype for tensor in tensors}) == 1
    assert all(tensor.stride(-1) == 1 for tensor in tensors)


def fwd(  # noqa: PLR0917 - the extension's signature
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, z: None,
    delta_bias: Tensor | None, delta_softplus: bool,
) -> list[Tensor]:  # fmt: skip
    """Return outputs and states, as the extension does without a gate."""
    assert z is None
    check_layout(u, delta, B, C)
    inputs = as_ours(u, delta, A, B, C, D=D, delta_bias=delta_bias)
    y = selective_scan_reference(**inputs._asdict(), softplus=delta_softplus)
    states = torch.zeros(*u.shape[:2], -(-u.shape[2] // 2048), 2 * A.shape[1])
    return [as_theirs(y).to(u.dtype), states]


def bwd(  # noqa: PLR0917 - the extension's signature
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None, z: None,
    delta_bias: Tensor | None, dy: Tensor, x: Tensor, out: None, dz: None,
    delta_softplus: bool, recompute_out_z: bool,
) -> list[Tensor | None]:  # fmt: skip
    """Return du, ddelta, dA, dB, dC, dD and ddelta_bias, as the extension does without a gate."""
    assert (z, out, dz, recompute_out_z) == (None, None, None, False)
    assert x.shape == (*u.shape[:2], 1, 2 * A.shape[1])
    check_layout(u, delta, B, C, dy)
    inputs = as_ours(u, delta, A, B, C, D=D, delta_bias=delta_bias)
    dy = dy.view(*inputs.x.transpose(2, 3).shape).transpose(2, 3)
    _, states = chunked_forward(inputs, softplus=delta_softplus, keep_states=True)
    grads = chunked_backward(dy, inputs, states=states, softplus=delta_softplus)
    return [
        *(as_theirs(grads.x), as_theirs(grads.dt), grads.A.view_as(A)),
        *(grads.B.transpose(2, 3), grads.C.transpose(2, 3)),
        None if D is None else grads.D.flatten(),
        None if delta_bias is None else grads.dt_bias.flatten(),
    ]


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in where the extension would be, and let it run on the CPU."""
    module = ModuleType("selective_scan_cuda")
    module.fwd, module.bwd = fwd, bwd  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", module)
    monkeypatch.setitem(dispatch._REFUSALS, "mamba_ssm", lambda *_: None)


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("size", [{"K": 4, "L": 7, "D": 3, "N": 2}, {"L": 1, "D": 1, "N": 1}])
def test_output_and_every_gradient_equal_the_loop(
    size: dict[str, int], scan_tensors: Fixture, with_gradients: Fixture, assert_close: Fixture
) -> None:
    tensors = scan_tensors(**size)
    expected = with_gradients(selective_scan_reference, tensors, torch.float64)
    scan = functools.partial(selective_scan, backend="mamba_ssm")
    assert_close(with_gradients(scan, tensors, torch.float32), expected)


@pytest.mark.usefixtures("extension")
def test_bias_and_skip_may_be_absent(
    scan_tensors: Fixture, with_gradients: Fixture, assert_close: Fixture
) -> None:
    tensors = scan_tensors(L=7, D=3, N=2)
    del tensors["D"], tensors["dt_bias"]
    expected = with_gradients(selective_scan_reference, tensors, torch.float64)
    scan = functools.partial(selective_scan, backend="mamba_ssm")
    assert_close(with_gradients(scan, tensors, torch.float32), expected)


@pytest.mark.usefixtures("extension")
def test_half_precision_is_passed_on(scan_tensors: Fixture) -> None:
    tensors = {n: t.to(torch.bfloat16) for n, t in scan_tensors(L=7, D=3, N=2).items()}
    assert selective_scan(**tensors, backend="mamba_ssm").dtype == torch.bfloat16


@pytest.mark.usefixtures("extension")
def test_groups_must_divide_the_channels(scan_tensors: Fixture) -> None:
    tensors = {name: t.float() for name, t in scan_tensors(K=1, L=4, D=3, N=2).items()}
    tensors["B"] = tensors["B"].repeat(1, 2, 1, 1)
    with pytest.raises(ShapeError, match="divide the channels: got 2 groups of B, 1 of C and 3"):
        mamba_ssm_forward(ScanInputs(**tensors), softplus=True, keep_states=False)


@pytest.mark.usefixtures("extension")
def test_too_many_states_are_refused(scan_tensors: Fixture) -> None:
    tensors = {name: t.float() for name, t in scan_tensors(L=2, D=1, N=257).items()}
    with pytest.raises(ShapeError, match="takes N up to 256 states, got 257"):
        mamba_ssm_forward(ScanInputs(**tensors), softplus=True, keep_states=False)


def test_absence_is_an_error_with_the_way_out(
    scan_tensors: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", None)
    tensors = {name: t.float() for name, t in scan_tensors(L=2, D=1, N=1).items()}
    with pytest.raises(MissingPackageError, match=r"rsmamba\[gpu\]"):
        mamba_ssm_forward(ScanInputs(**tensors), softplus=True, keep_states=False)


def test_the_cpu_is_refused_by_name(scan_tensors: Fixture) -> None:
    tensors = {name: t.float() for name, t in scan_tensors(L=2, D=1, N=1).items()}
    with pytest.raises(BackendError, match='"mamba_ssm" cannot run: it runs on CUDA GPUs'):
        selective_scan(**tensors, backend="mamba_ssm")
