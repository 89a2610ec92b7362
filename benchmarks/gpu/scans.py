"""Time the scan operators of all backends on the same inputs."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.inputs import PATHS, Size, map_tensors, sequence_tensors
from benchmarks.gpu.timing import Work, graph_seconds, median_seconds, peak_bytes
from rsmamba.ops.dispatch import Backend
from rsmamba.ops.selective_scan import selective_scan
from rsmamba.ops.ss2d import ss2d_scan
from rsmamba.ops.ss2d.composite import ss2d_composite

SIZES = [Size(length=length, states=states) for length in (4096, 16384) for states in (1, 16)]
TINY_SIZES = [Size(length=16, states=2, channels=3, rank=2)]


def passes(scan: Callable[..., Tensor], tensors: dict[str, Tensor]) -> dict[str, Work]:
    """Return a forward, and a forward with backward, of a scan."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}
    dy = torch.randn_like(tensors["x"])

    def forward() -> None:
        scan(**tensors)

    def forward_backward() -> None:
        torch.autograd.grad(scan(**leaves), list(leaves.values()), dy)

    return {"forward": forward, "forward_backward": forward_backward}


def measure(
    scan: Callable[..., Tensor], tensors: dict[str, Tensor], *, turns: int
) -> dict[str, dict[str, float | None]]:
    """Time one rival: with launches, by graph replay, and the memory it takes."""
    device = tensors["x"].device
    return {
        name: {
            "seconds": median_seconds(work, device, turns=turns),
            "graph_seconds": graph_seconds(work, device, turns=turns),
            "peak_bytes": peak_bytes(work, device),
        }
        for name, work in passes(scan, tensors).items()
    }


def time_sequences(
    device: torch.device, backends: tuple[Backend, ...], *, tiny: bool
) -> Iterator[dict[str, Any]]:
    """Time `selective_scan`, (batch 1, K 4, D 192).

    Args:
        device: Where to run.
        backends: The rivals.
        tiny: Whether to take one small size and one turn, to exercise this script.

    Yields:
        Size, type, backend, seconds, and the bytes that have to be moved at least.
    """
    for size in TINY_SIZES if tiny else SIZES:
        for dtype in (torch.float32, torch.bfloat16):
            tensors = sequence_tensors(size, device=device, dtype=dtype)
            for backend in backends:
                scan = functools.partial(selective_scan, backend=backend)
                yield {
                    "operator": "selective_scan",
                    "size": str(size),
                    "dtype": str(dtype),
                    "backend": backend,
                    "least_bytes": _least_bytes(size, dtype),
                    **measure(scan, tensors, turns=1 if tiny else 50),
                }


def time_maps(
    device: torch.device, backends: tuple[Backend, ...], *, tiny: bool
) -> Iterator[dict[str, Any]]:
    """Time `ss2d_scan`, fused and from its parts.

    Args:
        device: Where to run.
        backends: Backends of the fused operator.
        tiny: Whether to take one small size and one turn, to exercise this script.

    Yields:
        Size, backend and seconds.
    """
    for size in TINY_SIZES if tiny else SIZES[2:]:
        tensors = map_tensors(size, device=device, dtype=torch.float32)
        rivals: dict[str, Callable[..., Tensor]] = {
            name: functools.partial(ss2d_scan, backend=name) for name in backends
        }
        rivals |= {
            f"{name}, from its parts": functools.partial(ss2d_composite, backend=name)
            for name in backends
            if name != "torch"
        }
        for name, scan in rivals.items():
            yield {
                "operator": "ss2d_scan",
                "size": str(size),
                "backend": name,
                **measure(functools.partial(scan, paths="cross"), tensors, turns=1 if tiny else 50),
            }


def _least_bytes(size: Size, dtype: torch.dtype) -> dict[str, int]:
    """Return the bytes of large tensors: x, dt, y; then again x, dt, dy, and dx and ddt."""
    one = size.batch * PATHS * size.length * size.channels * dtype.itemsize
    return {"forward": 3 * one, "forward_backward": 8 * one}
