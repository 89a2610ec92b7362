"""Which backend runs an operator, and why.

A named backend runs or fails; only "auto" chooses, and says once in the log when it has to take the
slow path. Nothing here imports a compiler before a kernel is needed.
"""

import importlib.util
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

import torch

from rsmamba.errors import BackendError, OptionError

Backend = Literal["auto", "numba", "triton", "mamba_ssm", "torch"]
Chosen = Literal["numba", "triton", "mamba_ssm", "torch"]
Operator = Literal["selective_scan", "ss2d_scan"]

MAMBA_SSM_MAX_STATES = 256
"""Most states N of each channel that mamba-ssm's extension is compiled for."""

Answer = TypeVar("Answer")
_LOGGER = logging.getLogger(__name__)
_HALF_TYPES = "float32, bfloat16, float16"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendReport:
    """What is known about one backend of one operator on this machine.

    Attributes:
        operator: Name of the operator.
        backend: Name of the backend, never "auto".
        available: True if the backend can run here.
        reason: Why it can or cannot, or what it costs.
        chosen_for: Inputs for which "auto" takes it; empty if it never does.
    """

    operator: Operator
    backend: Chosen
    available: bool
    reason: str
    chosen_for: str


def explain() -> list[BackendReport]:
    """Report every backend of every operator on this machine.

    Returns:
        One entry for each operator and backend, in the order in which "auto" prefers them.

    Example:
        >>> [report.backend for report in explain() if report.operator == "ss2d_scan"]
        ['numba', 'triton', 'mamba_ssm', 'torch']
    """
    missing: dict[Chosen, str | None] = {
        "numba": _numba_missing(),
        "triton": _triton_missing(),
        "mamba_ssm": _mamba_ssm_missing(),
        "torch": None,
    }
    chosen_for = _chosen_for({name for name, reason in missing.items() if reason is None})
    return [
        BackendReport(
            operator=operator,
            backend=backend,
            available=reason is None,
            reason=reason or _REMARKS[operator, backend],
            chosen_for=chosen_for[backend],
        )
        for operator in get_args(Operator)
        for backend, reason in missing.items()
    ]


_REMARKS = {
    (operator, backend): remark
    for operator in get_args(Operator)
    for backend, remark in {
        "numba": "compiled for this CPU on first use; float32 arithmetic",
        "triton": "compiled for this GPU on first use; float32 arithmetic, the same bits every run",
        "mamba_ssm": f"CUDA extension; copies to channels first, N up to {MAMBA_SSM_MAX_STATES}",
        "torch": "runs everywhere; on a CPU 10 to 30 times slower than numba",
    }.items()
} | {("ss2d_scan", "mamba_ssm"): "CUDA extension for the scan; the map is expanded beforehand"}


def _chosen_for(available: set[str]) -> dict[str, str]:
    """Say for which inputs "auto" takes each backend."""
    gpu = next((name for name in ("triton", "mamba_ssm") if name in available), None)
    states = {"triton": "any N", "mamba_ssm": f"N up to {MAMBA_SSM_MAX_STATES}"}
    chosen = {
        name: f"CUDA; {_HALF_TYPES}; {states[name]}" if name == gpu else "" for name in states
    }
    chosen["numba"] = f"CPU; {_HALF_TYPES}; any N" if "numba" in available else ""
    rest = ["float64", "other devices"]
    if gpu == "mamba_ssm":
        rest.insert(0, f"CUDA with N above {MAMBA_SSM_MAX_STATES}")
    if "numba" not in available:
        rest.insert(0, "CPU")
    nothing_else = gpu is None and "numba" not in available
    chosen["torch"] = "everything" if nothing_else else ", ".join(rest)
    return chosen


def is_traced(*tensors: torch.Tensor | None) -> bool:
    """Say whether torch is recording what is done with tensors, so that it must see operators.

    Elsewhere a kernel may be called directly: the first call of a custom operator imports torch's
    compiler, which takes seconds and is of no use to a program that only predicts.

    Args:
        *tensors: Inputs of an operator.

    Returns:
        True while compiling or exporting, and for tensors that only stand for others.
    """
    plain = (torch.Tensor, torch.nn.Parameter)
    return torch.compiler.is_compiling() or any(
        tensor is not None and type(tensor) not in plain for tensor in tensors
    )


def choose(
    operator: Operator,
    *,
    backend: Backend,
    device: torch.device,
    dtype: torch.dtype,
    states: int = 1,
) -> Chosen:
    """Choose the backend of one call.

    Args:
        operator: Name of the operator, for the messages.
        backend: What the caller asked for.
        device: Where the inputs are.
        dtype: Type in which the operator computes, float32 or float64.
        states: States N of each channel.

    Returns:
        The backend to run.

    Raises:
        OptionError: If `backend` is not a known name.
        BackendError: If the named backend cannot run these inputs.
    """
    if backend not in get_args(Backend):
        message = f'backend "{backend}" is not known; choose one of {", ".join(get_args(Backend))}'
        raise OptionError(message)
    if backend != "auto":
        refusal = _REFUSALS[backend](device, dtype, states)
        if refusal is not None:
            message = f'{operator}: backend "{backend}" cannot run: {refusal}; use backend="auto"'
            raise BackendError(message)
        return backend
    refusals = []
    for name in ("triton", "mamba_ssm") if device.type == "cuda" else ("numba",):
        refusal = _REFUSALS[name](device, dtype, states)
        if refusal is None:
            return name
        refusals.append(f"{name} refused, {refusal}")
    _log_once(operator, "; ".join(refusals))
    return "torch"


def computing_dtype(x: torch.Tensor) -> torch.dtype:
    """Return the type in which an operator computes: float64 for float64, else float32.

    Args:
        x: Inputs of an operator.

    Returns:
        float32 or float64.
    """
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def row_dtype(tensor: torch.Tensor, *, backend: Chosen, dtype: torch.dtype) -> torch.dtype:
    """Return the type to which a large input is converted for a backend.

    Args:
        tensor: Input of an operator.
        backend: What runs it.
        dtype: Type in which the operator computes.

    Returns:
        `dtype`, or the input's own type where the kernel itself reads half precision.
    """
    half = tensor.dtype in {torch.bfloat16, torch.float16}
    return tensor.dtype if half and backend in {"triton", "mamba_ssm"} else dtype


def _numba_refusal(device: torch.device, dtype: torch.dtype, states: int) -> str | None:
    """Say why numba cannot run these inputs, or None."""
    del states
    if device.type != "cpu":
        return f"it runs on the CPU and the inputs are on {device.type}"
    return _float32_refusal(dtype) or _numba_missing()


def _triton_refusal(device: torch.device, dtype: torch.dtype, states: int) -> str | None:
    """Say why Triton cannot run these inputs, or None."""
    del states
    if device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        return _float32_refusal(dtype)  # Triton's interpreter, for tests of the kernels
    if device.type != "cuda":
        return f"it runs on CUDA GPUs and the inputs are on {device.type}"
    return _float32_refusal(dtype) or _triton_missing()


def _mamba_ssm_refusal(device: torch.device, dtype: torch.dtype, states: int) -> str | None:
    """Say why mamba-ssm's extension cannot run these inputs, or None."""
    if device.type != "cuda":
        return f"it runs on CUDA GPUs and the inputs are on {device.type}"
    if states > MAMBA_SSM_MAX_STATES:
        return f"it takes N up to {MAMBA_SSM_MAX_STATES} and the inputs have N = {states}"
    return _float32_refusal(dtype) or _mamba_ssm_missing()


def _float32_refusal(dtype: torch.dtype) -> str | None:
    """Say that a kernel does not compute in a type, or None for float32."""
    if dtype == torch.float32:
        return None
    return f"it computes in float32 and the inputs are {str(dtype).removeprefix('torch.')}"


class _Remembered(Generic[Answer]):
    """Function that is asked once for each set of arguments.

    Not ``functools.cache``: torch's compiler warns of functions in it and asks them every time.
    """

    def __init__(self, function: Callable[..., Answer]) -> None:
        self.function = function
        self.answers: dict[tuple[str, ...], Answer] = {}

    def __call__(self, *arguments: str) -> Answer:
        if arguments not in self.answers:
            self.answers[arguments] = self.function(*arguments)
        return self.answers[arguments]

    def cache_clear(self) -> None:
        """Forget all answers."""
        self.answers.clear()


_REFUSALS: dict[str, Callable[[torch.device, torch.dtype, int], str | None]] = {
    "numba": _numba_refusal,
    "triton": _triton_refusal,
    "mamba_ssm": _mamba_ssm_refusal,
    "torch": lambda *_: None,
}


@_Remembered
def _numba_missing() -> str | None:
    """Say why numba is not there, or None."""
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed (pip install numba)"
    return None


@_Remembered
def _triton_missing() -> str | None:
    """Say why Triton's kernels cannot run on this machine, or None."""
    if importlib.util.find_spec("triton") is None:
        return 'triton is not installed (pip install "rsmamba[gpu]")'
    if not torch.cuda.is_available():
        return "torch sees no CUDA GPU"
    capability = torch.cuda.get_device_capability()
    if capability < (8, 0):
        return f"it needs compute capability 8.0, this GPU has {capability[0]}.{capability[1]}"
    return None


@_Remembered
def _mamba_ssm_missing() -> str | None:
    """Say why mamba-ssm's extension cannot run on this machine, or None."""
    name = "selective_scan_cuda"
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        return f"its extension {name} is not installed (docs/gpu.md says how to build it)"
    if not torch.cuda.is_available():
        return "torch sees no CUDA GPU"
    return None


@_Remembered
def _log_once(operator: str, refusals: str) -> None:
    """Log the refusals of the fast paths, the first time they happen."""
    _LOGGER.warning("%s takes the slow torch path: %s", operator, refusals)
