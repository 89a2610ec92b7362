"""Time of ``rsmamba predict --dry-run`` on a huge scene, each run in a process of its own."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.prediction.scenes import make_mosaic

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = "from rsmamba.cli.app import main; main()"


def measure_dry_run(*, side: int, runs: int, folder: Path) -> dict[str, Any]:
    """Plan the prediction of a VRT with the bundled model.

    Args:
        side: Rows and columns of the VRT, pixels.
        runs: How often each command is timed, after one run that warms the disk up.
        folder: Where the VRT lies for a while.

    Returns:
        Seconds and CPU seconds of the plan and, as what no plan can undercut, of importing torch.
    """
    with tempfile.TemporaryDirectory(dir=folder) as work:
        scene = make_mosaic(Path(work), side=side)
        out = scene.with_name("map.tif")
        options = ["--out", str(out), "--dry-run", "--json", "--device", "cpu"]
        plan = [sys.executable, "-c", _COMMAND, "predict", str(scene), *options]
        torch_alone = [sys.executable, "-c", "import torch"]
        return {
            "side": side,
            "runs": runs,
            "plan": _timed(plan, runs=runs),
            "import_torch": _timed(torch_alone, runs=runs),
        }


def _timed(command: list[str], *, runs: int) -> dict[str, float]:
    """Return median and least seconds and CPU seconds of a command."""
    times = [_seconds(command) for _ in range(runs + 1)][1:]
    elapsed, cpu = zip(*times, strict=True)
    return {
        "seconds": round(statistics.median(elapsed), 2),
        "seconds_least": round(min(elapsed), 2),
        "cpu_seconds": round(statistics.median(cpu), 2),
        "cpu_seconds_least": round(min(cpu), 2),
    }


def _seconds(command: list[str]) -> tuple[float, float]:
    started, before = time.perf_counter(), os.times()
    # One thread: a plan computes parts of a tile, and others would only take turns with it.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.perf_counter() - started, cpu - before.children_user - before.children_system
