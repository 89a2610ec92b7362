"""Memory and processor time of a mosaic, with few maps and with many.

    python -m benchmarks.mosaic

Writes class maps of 1000 x 1000 px that share 100 px with each neighbour, joins 100 and 400 of them
in a process of its own by each rule, and compares peak memory and processor time.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from benchmarks.measuring import machine, save
from rsmamba.classes import ClassScheme
from rsmamba.geo import kinds
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.writer import RasterSink

SIDE, STRIDE = 1000, 900
COUNTS = (100, 400)
CLASSES = ClassScheme.from_names(["building", "land", "road", "vegetation", "water", "other"])
_TAGS = {"model": "synthetic", "model_hash": "0"}
_CHILD = """
import json, resource, sys
from pathlib import Path
from rsmamba.batch import make_mosaic
folder, count, rule, out = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
maps = [folder / f"{number}.tif" for number in range(count)]
before = resource.getrusage(resource.RUSAGE_SELF)
made = make_mosaic(maps, out, rule=rule)
after = resource.getrusage(resource.RUSAGE_SELF)
seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"grid": made.grid, "cpu_seconds": round(seconds, 1),
                  "mib_before": before.ru_maxrss // 1024, "mib": after.ru_maxrss // 1024}))
"""


def write_maps(folder: Path, count: int) -> None:
    """Write maps with regions of some hundred pixels, and their confidence."""
    random = np.random.default_rng(0)
    across = math.isqrt(count)
    for number in range(count):
        row, col = divmod(number, across)
        regions = random.integers(0, CLASSES.num_classes, (40, 40), dtype=np.uint8)
        classes = np.kron(regions, np.ones((25, 25), np.uint8))
        steps = Affine(0.5, 0, 5e5 + col * STRIDE / 2, 0, -0.5, 5e6 - row * STRIDE / 2)
        grid = GeoGrid(height=SIDE, width=SIDE, crs=CRS.from_epsg(32633), transform=steps)
        confidence = np.kron(regions * 30, np.ones((25, 25), np.uint8))
        _write(folder / f"{number}.tif", classes, grid, kinds.class_map(CLASSES))
        _write(folder / f"{number}_confidence.tif", confidence, grid, kinds.confidence())


def _write(path: Path, pixels: Any, grid: GeoGrid, kind: kinds.RasterKind) -> None:  # noqa: ANN401
    with RasterSink(path, grid=grid, kind=kind, tags=_TAGS) as sink:
        sink.write(pixels, row=0)
        sink.prepare()
        sink.publish()


def measure(folder: Path, count: int, rule: str) -> dict[str, Any]:
    """Join maps in a process of its own."""
    out = folder / f"{rule}{count}.tif"
    words = [sys.executable, "-c", _CHILD, str(folder), str(count), rule, str(out)]
    begun = time.perf_counter()
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds = round(time.perf_counter() - begun, 1)
    out.unlink()
    result: dict[str, Any] = json.loads(found.stdout)
    return result | {"maps": count, "rule": rule, "seconds": seconds}


def main() -> None:
    """Measure all rules with few maps and with many."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        write_maps(Path(name), max(COUNTS))
        for rule in ("first", "confidence", "majority"):
            for count in COUNTS if rule == "first" else COUNTS[:1]:
                rows.append(measure(Path(name), count, rule))
                print(json.dumps(rows[-1]), flush=True)
    save("mosaic", {"rows": rows, "machine": machine()})


if __name__ == "__main__":
    main()
