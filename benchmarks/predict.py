"""Measure the prediction engine: memory, overhead, seams and dry runs.

Prints tables and writes results/predict.json. Big scenes are made on the fly and removed.
Run it from anywhere: ``python benchmarks/predict.py [--quick] [--only PART]``.
"""

import argparse
import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import machine, save
from benchmarks.prediction.dry_run import measure_dry_run
from benchmarks.prediction.memory import OVERLAP as MEMORY_OVERLAP
from benchmarks.prediction.memory import TILE as MEMORY_TILE
from benchmarks.prediction.memory import measure_memory
from benchmarks.prediction.overhead import measure_overhead
from benchmarks.prediction.seams import measure_seams

PARTS = ("memory", "overhead", "seams", "dry-run")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller scenes and fewer runs")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may repeat")
    parser.add_argument("--folder", type=Path, help="where big scenes lie for a while")
    arguments = parser.parse_args()
    wanted = arguments.only or PARTS
    today = dt.datetime.now(dt.UTC).date().isoformat()
    results: dict[str, Any] = {"date": today, "machine": machine(), "quick": arguments.quick}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if "overhead" in wanted:
            results["overhead"] = run_overhead(Path(folder), quick=arguments.quick)
        if "dry-run" in wanted:
            results["dry_run"] = run_dry_run(Path(folder), quick=arguments.quick)
        if "seams" in wanted:
            results["seams"] = run_seams(quick=arguments.quick)
        if "memory" in wanted:
            results["memory"] = run_memory(Path(folder), quick=arguments.quick)
    if set(wanted) == set(PARTS):
        print(f"\nwritten to {save('predict', results)}")


def run_memory(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Print and return the memory of two scenes of one width."""
    width = 4000 if quick else 8000
    rows = measure_memory(width=width, heights=(width, 4 * width), folder=folder)
    print(
        f"\nMemory above imports and model, six classes, tile {MEMORY_TILE}, "
        f"overlap {MEMORY_OVERLAP}"
    )
    print("  rows x columns    peak MiB    CPU s / Mpx")
    for row in rows:
        size = f"{row['height']} x {row['width']}"
        print(f"  {size:16s}{row['above_base_mib']:10.1f}{row['cpu_seconds_per_mpx']:15.3f}")
    growth = rows[-1]["above_base_mib"] / rows[0]["above_base_mib"] - 1
    print(f"  four times the rows change the peak by {100 * growth:+.1f} %")
    return rows


def run_overhead(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Print and return the CPU time above the forward passes."""
    sides = (1000, 2000) if quick else (2000, 4000)
    result = measure_overhead(sides=sides, runs=3 if quick else 7, folder=folder)
    for scene in result["scenes"]:
        print(f"\nCPU seconds a megapixel, {scene['side']} x {scene['side']}, median of runs")
        for label, key in (
            ("bare forward passes", "forward_passes"),
            ("predict", "predict"),
            ("predict above the passes", "overhead"),
            ("  the same with confidence", "overhead_with_confidence"),
        ):
            print(f"  {label:30s}{scene[key]:8.3f}")
    fixed, slope = result["seconds_fixed"], result["seconds_per_further_mpx"]
    print(f"  above the passes: {fixed:.2f} s for any scene and {slope:.3f} s a megapixel")
    return result


def run_dry_run(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Print and return the time of a plan."""
    result = measure_dry_run(side=50_000, runs=2 if quick else 5, folder=folder)
    print(f"\nDry run on a VRT of {result['side']} x {result['side']}, median (least) of runs")
    for label, key in (("plan", "plan"), ("import torch alone", "import_torch")):
        times = result[key]
        print(
            f"  {label:20s}{times['seconds']:6.2f} ({times['seconds_least']:.2f}) s, "
            f"{times['cpu_seconds']:.2f} ({times['cpu_seconds_least']:.2f}) CPU s"
        )
    return result


def run_seams(*, quick: bool) -> dict[str, Any]:
    """Print and return wrong pixels by rule."""
    result = measure_seams(tiles_a_side=4 if quick else 6)
    print(f"\nSeams, {result['side']} x {result['side']}, overlap {result['overlap']}")
    curve = result["lone_tile_wrong_percent"]
    print("  a lone tile is wrong at " + ", ".join(f"{at} px: {curve[at]} %" for at in curve))
    print(f"  {'wrong pixels, %':32s}{'all':>9s}{'inside':>9s}{'clearly':>9s}{'worst column':>14s}")
    for name, wrong in result["rules"].items():
        print(
            f"  {name:32s}{wrong['all']:9.4f}{wrong['inside']:9.4f}{wrong['clearly']:9.4f}"
            f"{wrong['worst_column']:14.2f}"
        )
    return result


if __name__ == "__main__":
    main()
