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
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: find(name) if name != "numba" else None
    )
    dispatch._numba_missing.cache_clear()
    dispatch._log_once.cache_clear()
    yield
    dispatch._numba_missing.cache_clear()
    dispatch._log_once.cache_clear()


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pretend that torch sees no GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    dispatch._triton_missing.cache_clear()
    dispatch._mamba_ssm_missing.cache_clear()
    yield
    dispatch._triton_missing.cache_clear()
    dispatch._mamba_ssm_missing.cache_clear()


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
    with pytest.raises(OptionError, match='"cuda" is not known; choose one of auto, numba, triton'):
        choose("cuda")  # type: ignore[arg-type]  # the point of the test


def test_explain_covers_every_operator_and_backend() -> None:
    reports = dispatch.explain()
    named = [(report.operator, report.backend) for report in reports]
    backends = ("numba", "triton", "mamba_ssm", "torch")
    assert named == [(o, b) for o in ("selective_scan", "ss2d_scan") for b in backends]
    assert all(report.reason for report in reports)


@pytest.mark.usefixtures("without_numba", "without_gpu")
def test_explain_says_why_a_backend_is_not_there() -> None:
    reports = {report.backend: report for report in dispatch.explain()}
    assert "not installed" in reports["numba"].reason
    assert reports["triton"].reason == "torch sees no CUDA GPU"
    assert "docs/gpu.md says how to build it" in reports["mamba_ssm"].reason
    assert not any(reports[name].available for name in ("numba", "triton", "mamba_ssm"))
    assert reports["torch"].chosen_for == "everything"


@pytest.mark.usefixtures("without_gpu", "without_numba")
def test_triton_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (reason,) = {r.reason for r in dispatch.explain() if r.backend == "triton"}
    assert reason == 'triton is not installed (pip install "rsmamba[gpu]")'


@pytest.mark.parametrize(
    ("available", "backend", "inputs"),
    [
        ({"numba", "triton", "mamba_ssm"}, "triton", "CUDA; float32, bfloat16, float16; any N"),
        ({"numba", "triton", "mamba_ssm"}, "mamba_ssm", ""),
        ({"numba", "triton"}, "torch", "float64, other devices"),
        ({"mamba_ssm"}, "mamba_ssm", "CUDA; float32, bfloat16, float16; N up to 256"),
        ({"mamba_ssm"}, "torch", "CPU, CUDA with N above 256, float64, other devices"),
        ({"numba"}, "numba", "CPU; float32, bfloat16, float16; any N"),
    ],
)
def test_explain_names_the_inputs_of_each_backend(
    available: set[str], backend: str, inputs: str
) -> None:
    assert dispatch._chosen_for(available)[backend] == inputs


@pytest.mark.parametrize(
    ("present", "states", "expected"),
    [
        ({"triton", "mamba_ssm"}, 1, "triton"),
        ({"mamba_ssm"}, 16, "mamba_ssm"),
        ({"mamba_ssm"}, 257, "torch"),
        (set(), 1, "torch"),
    ],
)
def test_auto_prefers_triton_on_a_gpu(
    present: set[str], states: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("triton", "mamba_ssm"):
        reason = None if name in present else "it is not there"
        monkeypatch.setattr(dispatch, f"_{name}_missing", lambda reason=reason: reason)
    device, dtype = torch.device("cuda"), torch.float32
    chosen = dispatch.choose("ss2d_scan", backend="auto", device=device, dtype=dtype, states=states)
    assert chosen == expected


def test_auto_names_every_refusal_of_a_gpu(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch._log_once.cache_clear()
    monkeypatch.setattr(dispatch, "_triton_missing", lambda: "one reason")
    monkeypatch.setattr(dispatch, "_mamba_ssm_missing", lambda: "another")
    with caplog.at_level(logging.WARNING):
        dispatch.choose(
            "selective_scan", backend="auto", device=torch.device("cuda"), dtype=torch.float32
        )
    assert "triton refused, one reason; mamba_ssm refused, another" in caplog.text


@pytest.mark.parametrize("backend", ["triton", "mamba_ssm"])
def test_gpu_backends_by_name_fail_on_the_cpu(backend: dispatch.Backend) -> None:
    message = f'"{backend}" cannot run: it runs on CUDA GPUs and the inputs are on cpu'
    with pytest.raises(BackendError, match=message):
        choose(backend)


def test_operators_load_no_compiler_before_a_kernel_runs() -> None:
    code = (
        "import sys, rsmamba.ops.ss2d, rsmamba.ops.selective_scan, rsmamba.ops.dispatch as d;"
        "d.explain(); sys.exit(bool({'numba', 'triton'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
