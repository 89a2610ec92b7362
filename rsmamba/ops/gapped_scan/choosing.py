"""Whether the compiled kernel takes a scan with gaps."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rsmamba.ops.dispatch import Backend, choose, computing_dtype, is_traced
from rsmamba.ops.gapped_scan.composite import Alignment

# What the compiled forward kernel knows; the others change a few large tensors before a scan.
_COMPILED = ("none", "zero_input")


def load_kernel(name: str) -> Callable[..., Any]:
    """Load the kernel when it is first needed.

    Args:
        name: A function of `rsmamba.ops.gapped_scan.compiled`.

    Returns:
        The function.
    """
    function: Callable[..., Any] = getattr(
        importlib.import_module("rsmamba.ops.gapped_scan.compiled"), name
    )
    return function


def runs_compiled(*tensors: Tensor, alignment: Alignment, backend: Backend) -> bool:
    """Say whether the compiled forward kernel takes a call: it has no gradients.

    Args:
        *tensors: What gradients may flow to, the inputs of the scan first.
        alignment: What the gaps do.
        backend: What the caller asked for.

    Returns:
        True if it does.

    Raises:
        OptionError: If the backend is not known.
        BackendError: If it cannot run these inputs.
    """
    needs_gradients = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if alignment not in _COMPILED or needs_gradients or is_traced(*tensors):
        return False
    x = tensors[0]
    dtype = computing_dtype(x)
    return choose("selective_scan", backend=backend, device=x.device, dtype=dtype) == "numba"
