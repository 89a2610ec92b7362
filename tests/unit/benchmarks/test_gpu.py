"""The GPU benchmarks: what they do without a GPU, and that their scripts hold together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


def run_all(repository: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a user does."""
    script = repository / "benchmarks" / "gpu" / "run_all.sh"
    if not script.exists():
        pytest.skip("runs from the root of the checkout")
    environment = {**os.environ, "OUT": str(out), "PYTHON": sys.executable}
    return subprocess.run(
        [str(script), *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_one_line_says_that_there_is_no_gpu(repository: Path, tmp_path: Path) -> None:
    done = run_all(repository, tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "no CUDA GPU: nothing was run; --dry tries the scripts on the CPU"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_dry_run_fills_every_section(repository: Path, tmp_path: Path) -> None:
    done = run_all(repository, tmp_path, "--dry")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "gpu_dry.json").read_text(encoding="utf-8"))
    assert {"date", "device", "torch"} <= set(report["machine"])
    assert all(report[name] for name in ("correctness", "sequences", "maps", "networks"))
    assert all(entry["passes"] and entry["repeats"] for entry in report["correctness"])
