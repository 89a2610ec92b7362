"""Every GPU backend against float64 on the device: outputs, gradients, and that runs repeat."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.inputs import Size, map_tensors, sequence_tensors
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.scan_paths import ScanPaths
from rsmamba.ops.selective_scan import selective_scan
from rsmamba.ops.ss2d import ss2d_scan

Tensors = dict[str, Tensor]

# Few values of N and R, since kernels are compiled for each.
SEQUENCES = [
    Size(length=length, states=states, channels=channels, batch=2)
    for length, channels, states in (
        *((1, 1, 1), (2, 16, 1), (63, 17, 1), (500, 96, 1), (4096, 192, 1), (16384, 192, 1)),
        *((65, 17, 16), (500, 96, 16), (4096, 192, 16), (16384, 40, 16)),
        *((64, 96, 4), (100, 17, 24), (100, 33, 8)),
    )
]
MAPS: list[tuple[ScanPaths, Size]] = [
    ("cross", Size(length=81, states=1, channels=17, rank=2, batch=2)),
    ("cross", Size(length=16384, states=1)),
    ("cs2d", Size(length=4096, states=16)),
    ("cs2d_wrapped", Size(length=400, states=16, channels=96)),
    ("snake", Size(length=400, states=1, channels=96)),
]
TINY_SEQUENCES = [Size(length=9, states=2, channels=3)]
TINY_MAPS: list[tuple[ScanPaths, Size]] = [("cs2d", Size(length=9, states=2, channels=3, rank=2))]
# Outputs, gradients; half precision is rounded once, where it is stored.
TOLERANCES = {
    torch.float32: (1e-6, 1e-5),
    torch.float16: (1e-3, 1e-3),
    torch.bfloat16: (8e-3, 8e-3),
}


def with_gradients(scan: Callable[..., Tensor], tensors: Tensors) -> Tensors:
    """Return the outputs and the gradient of every input."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}
    y = scan(**leaves)
    dy = torch.linspace(-3, 3, y.numel(), device=y.device).cos().reshape(y.shape).to(y.dtype)
    grads = torch.autograd.grad(y, list(leaves.values()), dy)
    return {"y": y.detach(), **dict(zip(leaves, grads, strict=True))}


def compare(
    name: str, scan: Callable[..., Tensor], tensors: Tensors, *, backend: Backend
) -> dict[str, Any]:
    """Compare one backend with the torch backend in float64, and with a second run of itself."""
    run = functools.partial(scan, backend=backend)
    first, second = with_gradients(run, tensors), with_gradients(run, tensors)
    reference = functools.partial(scan, backend="torch")
    expected = with_gradients(reference, {n: t.double() for n, t in tensors.items()})
    errors = {
        n: ((first[n].double() - e).abs().max() / e.abs().max().clamp(min=1e-6)).item()
        for n, e in expected.items()
    }
    of_outputs, of_gradients = TOLERANCES[tensors["x"].dtype]
    limits = {n: of_outputs if n == "y" else of_gradients for n in errors}
    return {
        "case": name,
        "backend": backend,
        "errors": errors,
        # Written so that NaN fails.
        "passes": all(errors[n] < limits[n] for n in errors),
        "repeats": all(torch.equal(first[n], second[n]) for n in first),
    }


def check(
    device: torch.device, backends: tuple[Backend, ...], *, tiny: bool
) -> Iterator[dict[str, Any]]:
    """Compare all backends at all sizes.

    Args:
        device: Where to run.
        backends: Backends of the scan; those that are no backend of maps run through its parts.
        tiny: Whether to take one small size of each, to exercise this script.

    Yields:
        Name, errors relative to the largest value, and whether they are small enough.
    """
    for size in TINY_SEQUENCES if tiny else SEQUENCES:
        for dtype in _types(size):
            torch.manual_seed(size.length)
            tensors = sequence_tensors(size, device=device, dtype=dtype)
            for backend in backends:
                yield compare(f"scan {size} {dtype}", selective_scan, tensors, backend=backend)
    for paths, size in TINY_MAPS if tiny else MAPS:
        torch.manual_seed(size.length)
        tensors = map_tensors(size, device=device, dtype=torch.float32)
        scan = functools.partial(ss2d_scan, paths=paths)
        for backend in backends:
            yield compare(f"{paths} {size}", scan, tensors, backend=backend)


def _types(size: Size) -> tuple[torch.dtype, ...]:
    """Return the types to check at a size: half precision at one of the larger ones."""
    if size.length == 500:
        return torch.float32, torch.bfloat16, torch.float16
    return (torch.float32,)
