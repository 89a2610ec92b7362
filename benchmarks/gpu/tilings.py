"""Time the Triton kernels with other shares of a program than those in use."""

import functools
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.gpu.inputs import Size, sequence_tensors
from benchmarks.gpu.timing import graph_seconds
from rsmamba.ops.selective_scan.chunked import ScanInputs
from rsmamba.ops.triton_kernels.plan import Tiling

TILINGS = [
    Tiling(tokens=tokens, channels=channels) for tokens in (8, 12, 16, 24) for channels in (32, 64)
]


def time_tilings(device: torch.device) -> Iterator[dict[str, Any]]:
    """Time forward and backward for each tiling.

    Args:
        device: A GPU.

    Yields:
        Size, tiling, and seconds of a graph replay.
    """
    from rsmamba.ops.selective_scan.triton_scan import triton_backward, triton_forward

    for size in (Size(length=16384, states=1), Size(length=16384, states=16)):
        inputs = ScanInputs(**sequence_tensors(size, device=device, dtype=torch.float32))
        dy = torch.randn_like(inputs.x)
        _, states = triton_forward(inputs, softplus=True, keep_states=True)
        forward = functools.partial(triton_forward, inputs, softplus=True, keep_states=True)
        backward = functools.partial(triton_backward, dy, inputs, states=states, softplus=True)
        for tiling in TILINGS:
            entry: dict[str, Any] = {"size": str(size), "tiling": str(tiling)}
            for name, work in (("forward", forward), ("backward", backward)):
                once = functools.partial(work, tiling=tiling)
                once()
                entry[name] = graph_seconds(once, device, turns=20)
            yield entry
