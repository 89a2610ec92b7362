"""What the kernel benchmarks share: timing in CPU seconds, the machine's ceilings, results.

CPU seconds of one thread are compared, since other programs on the machine disturb them least. The
rivals of one benchmark are timed in turns within the same process, and the best turn counts.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numba
import torch

RESULTS = Path(__file__).resolve().parent / "results"


def best_cpu_seconds(
    rivals: Mapping[str, Callable[[], object]], *, turns: int, slow_seconds: float = 5.0
) -> dict[str, float]:
    """Time rivals in turns.

    Args:
        rivals: Name and function of each rival.
        turns: How often each is called, after one call that warms up.
        slow_seconds: A rival whose first call takes longer is not called again.

    Returns:
        The least CPU seconds of each rival.
    """
    best = {name: _cpu_seconds(function) for name, function in rivals.items()}
    quick = [name for name, seconds in best.items() if seconds < slow_seconds]
    for name in quick:
        best[name] = float("inf")
    for _ in range(turns):
        for name in quick:
            best[name] = min(best[name], _cpu_seconds(rivals[name]))
    return best


def machine() -> dict[str, Any]:
    """Describe the machine, the versions and the measured ceilings of one thread."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "copy_gb_per_s": round(copy_bandwidth(), 2),
        **exp_throughput(),
    }


def copy_bandwidth() -> float:
    """Return the bandwidth of a copy that does not fit the caches, read and write, in GB/s."""
    source = torch.ones(2**26)
    target = torch.empty_like(source)
    seconds = best_cpu_seconds({"copy": lambda: target.copy_(source)}, turns=8)["copy"]
    return 2 * 4 * source.numel() / seconds / 1e9


def exp_throughput() -> dict[str, float]:
    """Return how many powers of two one thread computes per second, in 1e9, by both forms."""
    from benchmarks.exponentials import count, run_polynomials, run_products

    rivals = {"exp_g_per_s": run_polynomials, "product_exp_g_per_s": run_products}
    seconds = best_cpu_seconds(rivals, turns=20)
    return {name: round(count() / value / 1e9, 2) for name, value in seconds.items()}


def save(name: str, content: Mapping[str, Any]) -> Path:
    """Write results as JSON into the results folder.

    Args:
        name: Name of the benchmark.
        content: What to write.

    Returns:
        The file written.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def _cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def _cpu_name() -> str:
    """Return the model name of the CPU, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
