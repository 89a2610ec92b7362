"""Which backend runs an operator, and why.

A named backend runs or fails; only "auto" chooses, and says once in the log when it has to take the
slow path. Nothing here imports a compiler before a kernel is needed.
"""

import functools
import importlib.util
import logging
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from rsmamba.errors import BackendError, OptionError

Backend = Literal["auto", "numba", "torch"]
Operator = Literal["selective_scan", "ss2d_scan"]

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendReport:
    """What is known about one backend of one operator on this machine.

    Attributes:
        operator: Name of the operator.
        backend: Name of the backend.
        available: True if the backend can run here.
        reason: Why it can or cannot, or what it costs.
        chosen_for: Inputs for which "auto" takes it; empty if it never does.
    """

    operator: str
    backend: str
    available: bool
    reason: str
    chosen_for: str


def explain() -> list[BackendReport]:
    """Report every backend of every operator on this machine.

    Returns:
        One entry for each operator and backend, in the order in which "auto" prefers them.

    Example:
        >>> [report.backend for report in explain() if report.operator == "ss2d_scan"]
        ['numba', 'torch']
    """
    reports = []
    missing = _numba_missing()
    for operator in get_args(Operator):
        reports += [
            BackendReport(
                operator=operator,
                backend="numba",
                available=missing is None,
                reason=missing or "compiled for this CPU on first use; float32 arithmetic",
                chosen_for="CPU; float32, bfloat16, float16" if missing is None else "",
            ),
            BackendReport(
                operator=operator,
                backend="torch",
                available=True,
                reason="runs everywhere; on a CPU 10 to 30 times slower than numba",
                chosen_for="float64, other devices" if missing is None else "everything",
            ),
        ]
    return reports


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
    operator: Operator, *, backend: Backend, device: torch.device, dtype: torch.dtype
) -> Literal["numba", "torch"]:
    """Choose the backend of one call.

    Args:
        operator: Name of the operator, for the messages.
        backend: What the caller asked for.
        device: Where the inputs are.
        dtype: Type in which the operator computes, float32 or float64.

    Returns:
        The backend to run.

    Raises:
        OptionError: If `backend` is not a known name.
        BackendError: If the named backend cannot run these inputs.
    """
    if backend not in get_args(Backend):
        message = f'backend "{backend}" is not known; choose one of {", ".join(get_args(Backend))}'
        raise OptionError(message)
    if backend == "torch":
        return "torch"
    refusal = _numba_refusal(device, dtype)
    if refusal is None:
        return "numba"
    if backend == "numba":
        message = f'{operator}: backend "numba" cannot run: {refusal}; use backend="auto"'
        raise BackendError(message)
    _log_once(operator, refusal)
    return "torch"


def _numba_refusal(device: torch.device, dtype: torch.dtype) -> str | None:
    """Say why numba cannot run these inputs, or None."""
    if device.type != "cpu":
        return f"it runs on the CPU and the inputs are on {device.type}"
    if dtype != torch.float32:
        return f"it computes in float32 and the inputs are {str(dtype).removeprefix('torch.')}"
    return _numba_missing()


@functools.cache
def _numba_missing() -> str | None:
    """Say why numba is not there, or None."""
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed (pip install numba)"
    return None


@functools.cache
def _log_once(operator: str, refusal: str) -> None:
    """Log one refusal of the fast path, the first time it happens."""
    _LOGGER.warning("%s takes the slow torch path: numba refused, %s", operator, refusal)
