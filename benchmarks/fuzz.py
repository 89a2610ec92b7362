"""Predict with damaged GeoTIFFs and model files: no hang, no heap of memory, no traceback.

    python benchmarks/fuzz.py [--scenes 2000] [--models 500] [--workers 2]

Each case damages a small file in a way that its number decides, and runs ``rsmamba predict`` on it
in a child. It must end within 30 s and 2 GiB with exit status 0 and a map, or with 1 or 2 and one
line after its remarks; and nothing may appear outside the output folder. A damaged scene that
claims more than 0.5 Mpx, as a sparse file may, is stopped after 30 s and counted under the status
-10. Writes ``results/fuzz.json``.
"""

import argparse
import collections
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fuzzing.cases import Case, Outcome, Seeds, make_seeds, run_case
from benchmarks.fuzzing.pool import LARGEST_BYTES, LONGEST_SECONDS, Finished, run_cases


def main() -> int:
    """Run all cases, print and write what was found.

    Returns:
        1 if something was found, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        seeds = make_seeds(folder)
        _warm_up(seeds, folder)
        counts = {"model": options.models, "scene": options.scenes}
        cases = [
            Case(kind=kind, number=options.first + number)
            for kind, count in counts.items()
            for number in reversed(range(count))
        ]
        started = time.monotonic()
        done: list[Finished] = []
        for finished in run_cases(cases, seeds, folder, workers=options.workers):
            done.append(finished)
            _tell(finished, len(done))
        seconds = time.monotonic() - started
    from benchmarks.measuring import machine, save

    found = [one for one in done if one.outcome.fault]
    save("fuzz", {"machine": machine(), "seconds": round(seconds), **summary(done)})
    print(f"{len(done)} cases, {len(found)} faults, {seconds:.0f} s")
    return 1 if found else 0


def summary(done: Sequence[Finished]) -> dict[str, Any]:
    """Sum up cases.

    Args:
        done: What was run.

    Returns:
        Plain values for JSON.
    """
    values: dict[str, Any] = {
        "limits": {"seconds": LONGEST_SECONDS, "bytes": LARGEST_BYTES},
        "faults": [
            {"kind": one.case.kind, "number": one.case.number, "fault": one.outcome.fault}
            for one in done
            if one.outcome.fault
        ],
    }
    for kind in ("scene", "model"):
        cases = [one for one in done if one.case.kind == kind]
        statuses = collections.Counter(one.outcome.status for one in cases)
        values[kind] = {
            "cases": len(cases),
            "by_exit_status": {str(status): count for status, count in sorted(statuses.items())},
            "most_seconds": round(max((one.seconds for one in cases), default=0.0), 2),
            "most_mib": round(max((one.peak_bytes for one in cases), default=0) / 2**20),
        }
    return values


def _warm_up(seeds: Seeds, folder: Path) -> None:
    """Load and compile everything once, for all children, on whole files."""
    import torch

    # A child that is forked from a process with OpenMP threads waits for ever for them.
    torch.set_num_threads(1)
    place = folder / "warm"
    place.mkdir()
    whole = Seeds(scenes=seeds.scenes[:1], model=seeds.model)
    outcome: Outcome = run_case(Case(kind="whole", number=0), whole, place)
    if outcome.status or outcome.fault:
        message = f"whole files must be predicted: {outcome}"
        raise RuntimeError(message)


def _tell(finished: Finished, count: int) -> None:
    if finished.outcome.fault:
        print(f"{finished.case.kind} {finished.case.number}: {finished.outcome.fault}", flush=True)
    if count % 100 == 0:
        print(f"{count} cases", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
