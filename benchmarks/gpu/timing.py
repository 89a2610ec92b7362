"""Time work on a device, and say which device it is."""

import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

Work = Callable[[], object]
_SLOW_SECONDS = 0.5


def median_seconds(work: Work, device: torch.device, *, turns: int) -> float:
    """Time a function by device events, after two calls that compile and warm up.

    Args:
        work: What to time.
        device: Where it runs; on the CPU the wall clock is read.
        turns: How often it is timed; once if a call takes half a second.

    Returns:
        The median seconds of a call.
    """
    work()
    first = _seconds(work, device)
    if first > _SLOW_SECONDS:
        return first
    return statistics.median(_seconds(work, device) for _ in range(turns))


def graph_seconds(work: Work, device: torch.device, *, turns: int) -> float | None:
    """Time the replays of a CUDA graph of a function: the device's share, without launches.

    Args:
        work: What to time; called before, so that everything is compiled.
        device: Where it runs.
        turns: How often the graph is replayed.

    Returns:
        The median seconds of a replay; None on the CPU and for work that cannot be captured.
    """
    if device.type != "cuda":
        return None
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            work()
    except RuntimeError:  # torch says so of work that waits for the device
        torch.cuda.synchronize()
        return None
    return median_seconds(graph.replay, device, turns=turns)


def peak_bytes(work: Work, device: torch.device) -> int | None:
    """Return the most memory that a call takes beyond what was there; None on the CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def copy_bandwidth(device: torch.device) -> float:
    """Return the bytes that a large copy reads and writes in a second."""
    source = torch.randn(2**29 if device.type == "cuda" else 2**20, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), device, turns=20)
    return 2 * source.nbytes / seconds


def machine(device: torch.device) -> dict[str, Any]:
    """Describe the device and the versions, with the date."""
    about: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "device": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": _version("triton"),
        "copy_gb_per_s": round(copy_bandwidth(device) / 1e9, 1),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        about |= {
            "device": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "memory_gb": round(properties.total_memory / 1e9, 1),
            "cuda": torch.version.cuda,
        }
    return about


def _version(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _seconds(work: Work, device: torch.device) -> float:
    """Return the seconds of one call."""
    if device.type != "cuda":
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin
    make = torch.cuda.Event
    start, end = (make(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # likewise
    start.record()
    work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3
