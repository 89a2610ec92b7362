"""Run all checks and timings, print short tables and write gpu.json.

The file is written after every entry, so that what was measured survives a stop. No section starts
an entry after the time limit.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.correctness import check
from benchmarks.gpu.networks import time_networks
from benchmarks.gpu.scans import time_maps, time_sequences
from benchmarks.gpu.tilings import time_tilings
from benchmarks.gpu.timing import machine
from rsmamba.ops.dispatch import Backend, explain


class Report:
    """Results so far, on disk after every entry.

    Args:
        path: The JSON file.
        limit_seconds: No section starts an entry after this time.
    """

    def __init__(self, path: Path, *, limit_seconds: float) -> None:
        self.path = path
        self.content: dict[str, Any] = {}
        self._end = time.monotonic() + limit_seconds

    def run(self, section: str, entries: Iterable[dict[str, Any]]) -> None:
        """Collect the entries of a section until the time is up."""
        self.content[section] = []
        iterator = iter(entries)
        while time.monotonic() < self._end:
            entry = next(iterator, None)
            if entry is None:
                return
            self.content[section].append(entry)
            self.save()
            print(f"{section}: {_line(entry)}")
        self.content.setdefault("cut_short", []).append(section)
        print(f"{section}: cut short by the time limit")

    def save(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Run everything; 1 if a kernel is wrong."""
    parser = argparse.ArgumentParser(prog="run_all.sh", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of gpu.json")
    parser.add_argument("--dry", action="store_true", help="tiny sizes on the CPU, to try this out")
    parser.add_argument("--limit-minutes", type=float, default=9, help="start nothing afterwards")
    options = parser.parse_args()
    if not options.dry and not torch.cuda.is_available():
        print("no CUDA GPU: nothing was run; --dry tries the scripts on the CPU")
        return 0
    device = torch.device("cpu" if options.dry else "cuda")
    name = "gpu_dry.json" if options.dry else "gpu.json"
    report = Report(options.out / name, limit_seconds=60 * options.limit_minutes)
    report.content["machine"] = machine(device)
    print(report.content["machine"])
    backends = _backends(dry=options.dry)
    kernels = tuple(backend for backend in backends if backend != "torch") or backends
    report.run("correctness", check(device, kernels, tiny=options.dry))
    report.run("sequences", time_sequences(device, backends, tiny=options.dry))
    report.run("maps", time_maps(device, backends, tiny=options.dry))
    report.run("networks", time_networks(device, tiny=options.dry))
    if not options.dry and "triton" in backends:
        report.run("tilings", time_tilings(device))
    _shares(report.content)
    report.save()
    wrong = [e["case"] for e in report.content["correctness"] if not e["passes"]]
    print(f"written: {report.path}; wrong: {wrong or 'none'}")
    return 1 if wrong else 0


def _backends(*, dry: bool) -> tuple[Backend, ...]:
    """Return the rivals, and say which are missing and why."""
    if dry:
        return ("torch",)
    found = []
    for report in explain():
        if report.operator != "selective_scan" or report.backend == "numba":
            continue
        if report.available:
            found.append(report.backend)
        else:
            print(f"{report.backend} is left out: {report.reason}")
    return tuple(found)


def _shares(content: dict[str, Any]) -> None:
    """Add the share of the copy bandwidth that each scan reaches."""
    copy = content["machine"]["copy_gb_per_s"] * 1e9
    for entry in content["sequences"]:
        for name, least in entry["least_bytes"].items():
            timed = entry[name]
            seconds = timed["graph_seconds"] or timed["seconds"]
            timed["share_of_copy"] = least / seconds / copy
            what = f"{entry['backend']:10} {entry['size']} {entry['dtype']} {name}"
            print(f"{what}: {seconds * 1e6:.0f} us, {timed['share_of_copy']:.0%} of copy")


def _line(entry: dict[str, Any]) -> str:
    """Return an entry on one line, floats cut short."""
    return json.dumps(json.loads(json.dumps(entry), parse_float=lambda text: f"{float(text):.3g}"))


if __name__ == "__main__":
    sys.exit(main())
