"""Peak resident memory of a prediction above imports and model, in a process of its own."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.prediction.scenes import convolution, make_scene
from rsmamba.prediction import predict

TILE, OVERLAP = 512, 128
ROOT = Path(__file__).resolve().parents[2]


def measure_memory(*, width: int, heights: tuple[int, ...], folder: Path) -> list[dict[str, Any]]:
    """Predict scenes of one width and several heights, each in a fresh process.

    Args:
        width: Columns, pixels.
        heights: Rows, pixels.
        folder: Where scenes and maps lie for a while.

    Returns:
        Size, peak, base and peak above base in MiB, and CPU seconds a megapixel of each.
    """
    results = []
    for height in heights:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            scene = make_scene(Path(work) / "scene.tif", height=height, width=width)
            command = [sys.executable, "-m", "benchmarks.prediction.memory", str(scene)]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            results.append({"height": height, "width": width, **json.loads(run.stdout)})
    # What imports and model take has nothing to do with the scene; the least is the strictest.
    base = min(result["base_mib"] for result in results)
    return [result | {"above_base_mib": round(result["peak_mib"] - base, 1)} for result in results]


def predict_and_weigh(scene: Path) -> dict[str, Any]:
    """Predict one scene and weigh this process before and at the peak.

    Args:
        scene: The scene.

    Returns:
        Base and peak in MiB, and CPU seconds a megapixel.
    """
    torch.set_num_threads(1)
    model = convolution(channels=(16, 16))
    base = psutil.Process().memory_info().rss
    result = predict(
        scene, scene.with_name("map.tif"), model=model, tile=TILE, overlap=OVERLAP, device="cpu"
    )
    return {
        "base_mib": round(base / 2**20, 1),
        "peak_mib": round(peak_bytes() / 2**20, 1),
        "cpu_seconds_per_mpx": round(result.cpu_seconds / result.num_pixels * 1e6, 3),
        "tiles": result.tiles_computed,
    }


def peak_bytes() -> int:
    """Return the largest resident memory that this process had.

    Linux counts it for the program that runs now; ``getrusage`` would include the parent's.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    message = "peak memory is read from /proc; run this benchmark on Linux"
    raise RuntimeError(message)


if __name__ == "__main__":
    print(json.dumps(predict_and_weigh(Path(sys.argv[1]))))
