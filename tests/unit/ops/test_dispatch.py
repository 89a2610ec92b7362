"""Which backend runs, and what is said about it."""

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from rsmamba.errors import BackendError, OptionError
from rsmamba.ops import dispatch

CPU = torch.device("cpu")


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pretend that numba is not installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else name)
    dispatch._numba_missing.cache_clear()
    dispatch._log_once.cache_clear()
    yield
    dispatch._numba_missing.cache_clear()
    dispatch._log_once.cache_clear()


def choose(backend: dispatch.Backend, dtype: torch.dtype = torch.float32) -> str:
    return dispatch.choose("ss2d_scan", backend=backend, device=CPU, dtype=dtype)


def test_auto_takes_the_kernels_for_float32_on_the_cpu() -> None:
    assert choose("auto") == "numba"


def test_a_named_backend_is_taken() -> None:
    assert choose("torch") == "torch"


def test_numba_by_name_fails_for_float64() -> None:
    with pytest.raises(BackendError, match='"numba" cannot run: it computes in float32'):
        choose("numba", torch.float64)


def test_numba_by_name_fails_off_the_cpu() -> None:
    device = torch.device("meta")
    with pytest.raises(BackendError, match="the inputs are on meta"):
        dispatch.choose("selective_scan", backend="numba", device=device, dtype=torch.float32)


@pytest.mark.usefixtures("without_numba")
def test_auto_says_once_that_it_takes_the_slow_path(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert [choose("auto"), choose("auto")] == ["torch", "torch"]
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("ss2d_scan takes the slow torch path: numba refused, numba is not")


@pytest.mark.usefixtures("without_numba")
def test_numba_by_name_fails_without_numba() -> None:
    with pytest.raises(BackendError, match="numba is not installed"):
        choose("numba")


def test_unknown_backends_are_refused_with_the_choices() -> None:
    with pytest.raises(OptionError, match='"cuda" is not known; choose one of auto, numba, torch'):
        choose("cuda")  # type: ignore[arg-type]  # the point of the test


def test_explain_covers_every_operator_and_backend() -> None:
    reports = dispatch.explain()
    named = {(report.operator, report.backend) for report in reports}
    assert named == {(o, b) for o in ("selective_scan", "ss2d_scan") for b in ("numba", "torch")}
    assert all(report.available and report.reason for report in reports)


@pytest.mark.usefixtures("without_numba")
def test_explain_says_why_a_backend_is_not_there() -> None:
    numba, torch_path = dispatch.explain()[:2]
    assert not numba.available
    assert "not installed" in numba.reason
    assert torch_path.chosen_for == "everything"


def test_operators_load_numba_only_when_a_kernel_runs() -> None:
    code = (
        "import sys, rsmamba.ops.ss2d, rsmamba.ops.selective_scan, rsmamba.ops.dispatch as d;"
        "d.explain(); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
