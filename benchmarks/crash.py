"""Kill predictions and batches at random moments; every rerun must end with the same bytes.

    python -m benchmarks.crash --kills 200

Results of several seeds are kept side by side.

A round begins one of four runs in a folder of its own: a prediction, a batch, a batch with two
workers, or the command ``rsmamba batch --workers 2``. It sends SIGKILL to the run or to one of its
workers after a random time, looks for anything half written under a final name and for workers
that outlive their parent, and begins the run again until it ends by itself, with another kill half
of the time. The outputs are compared with those of a run that nobody disturbed.

Most runs are children of a process that has loaded the libraries already, and so are their workers:
a kill then falls into the work and not into the loading, and costs a second instead of ten. Runs of
the command load everything anew.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.archive import write_model, write_scene
from benchmarks.measuring import RESULTS, save
from rsmamba import predict, run_batch
from rsmamba.batch import pools
from rsmamba.errors import OutputExistsError
from rsmamba.geo import strip_store

OPTIONS: dict[str, Any] = {"tile": 64, "overlap": 8, "margin": 2, "device": "cpu"}
WORDS = ["--tile", "64", "--overlap", "8", "--margin", "2", "--device", "cpu", "--confidence"]
DONE, FAILED = 0, 1
# A run of the command takes ten times as long as the others.
SHARES = {"predict": 6, "batch": 6, "workers": 6, "command": 1}
_SECONDS_TO_VANISH = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rounds share: a folder with ``imagery`` and ``model.safetensors``."""

    folder: Path

    @property
    def imagery(self) -> Path:
        """The scenes."""
        return self.folder / "imagery"

    @property
    def model(self) -> Path:
        """A tiny model."""
        return self.folder / "model.safetensors"

    def make(self) -> None:
        """Write two random scenes and a model with random weights."""
        for name, height in (("a.tif", 600), ("north/b.tif", 300)):
            write_scene(self.imagery / name, height=height, width=96)
        write_model(self.model)

    def run(self, kind: str, maps: Path) -> None:
        """Do one run in this process."""
        if kind == "predict":
            with suppress(OutputExistsError):
                confidence = maps / "a_confidence.tif"
                scene = self.imagery / "a.tif"
                predict(scene, maps / "a.tif", model=self.model, confidence=confidence, **OPTIONS)
            return
        workers = 2 if kind == "workers" else 1
        extra = ["confidence"]
        result = run_batch(
            [self.imagery], maps, model=self.model, workers=workers, extra=extra, **OPTIONS
        )
        if result.counts["failed"]:
            raise SystemExit("; ".join(scene.reason for scene in result.scenes))

    def command(self, maps: Path) -> list[str]:
        """Return the words of the command."""
        words = ["batch", str(self.imagery), "--out", str(maps), "--model", str(self.model)]
        return [sys.executable, "-m", "rsmamba.cli.app", *words, *WORDS, "--workers", "2", "-q"]


def begin(bench: Bench, kind: str, maps: Path) -> int:
    """Begin a run; return its process number."""
    child = os.fork()
    if child:
        return child
    status = FAILED
    try:
        if kind == "command":
            words = bench.command(maps)
            os.execv(words[0], words)
        bench.run(kind, maps)
        status = DONE
    except BaseException as error:  # noqa: BLE001 - told by the status
        print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def kill_at_random(process: int, *, longest: float) -> str:
    """Kill a run, or one of its workers, within a time; say what was killed."""
    stop = time.monotonic() + random.uniform(0, longest)
    while time.monotonic() < stop:
        if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return "nothing"
        time.sleep(0.002)
    workers = psutil.Process(process).children(recursive=True)
    victim = random.choice([psutil.Process(process), *workers])
    with suppress(psutil.NoSuchProcess):
        victim.send_signal(signal.SIGKILL)
    if victim.pid != process:
        return "worker"
    _, alive = psutil.wait_procs(workers, timeout=_SECONDS_TO_VANISH)
    if alive:
        message = f"workers outlive their parent: {alive}"
        raise SystemExit(message)
    return "parent"


def content_of(maps: Path) -> dict[str, bytes]:
    """Read what has a final name."""
    files = {str(path.relative_to(maps)): path for path in maps.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if "/." not in f"/{name}"}


def check(maps: Path, reference: dict[str, bytes], *, is_finished: bool) -> None:
    """Raise if a file under a final name is not what it must be, or something is missing."""
    there = content_of(maps)
    for name, content in there.items():
        if content != reference.get(name):
            message = f"{maps / name} is not the same bytes"
            raise SystemExit(message)
    left = list(maps.rglob("*.rsmamba-part"))
    if is_finished and (len(there) < len(reference) or left):
        message = f"{maps}: {set(reference) - set(there)} are missing, or work is left: {left}"
        raise SystemExit(message)


def one_round(
    bench: Bench, kind: str, reference: dict[str, bytes], *, longest: float
) -> Counter[str]:
    """Kill, run again, compare."""
    killed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maps = Path(folder)
        while True:
            process = begin(bench, kind, maps)
            again = not killed or random.random() < 0.5
            what = kill_at_random(process, longest=longest) if again else "nothing"
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            killed[what] += 1
            check(maps, reference, is_finished=status == DONE)
            if status == DONE:
                return killed
            if status != -signal.SIGKILL:
                message = f"{kind} ended with {status} after {what} was killed"
                raise SystemExit(message)


def undisturbed(bench: Bench, kind: str) -> tuple[dict[str, bytes], float]:
    """Return what a run leaves when nobody disturbs it, and its seconds."""
    maps = bench.folder / kind
    maps.mkdir()
    begun = time.perf_counter()
    if os.waitpid(begin(bench, kind, maps), 0)[1]:
        message = f"{kind} fails without being disturbed"
        raise SystemExit(message)
    return content_of(maps), time.perf_counter() - begun


def prepare(bench: Bench) -> None:
    """Let runs be cheap: small strips, and workers that need not load the libraries."""
    bench.make()
    torch.set_num_threads(1)
    strip_store._PIXELS_OF_A_STRIP = 4096
    fork = multiprocessing.get_context("fork")
    pools.multiprocessing.get_context = lambda _: fork  # type: ignore[attr-defined] # see above
    # What is loaded at the first run is loaded here. No thread is left that a fork would lose.
    warm = bench.folder / "warm"
    warm.mkdir()
    bench.run("predict", warm)


def main() -> None:
    """Run the rounds and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60, help="No new round after these.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    killed: dict[str, Counter[str]] = {kind: Counter() for kind in SHARES}
    rounds, begun = Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder=Path(folder))
        prepare(bench)
        references = {kind: undisturbed(bench, kind) for kind in SHARES}
        num_kills = 0
        while num_kills < arguments.kills and time.monotonic() - begun < 60 * arguments.minutes:
            (kind,) = random.choices(list(SHARES), list(SHARES.values()))
            reference, seconds = references[kind]
            killed[kind] += one_round(bench, kind, reference, longest=1.1 * seconds)
            rounds[kind] += 1
            num_kills = sum(one["parent"] + one["worker"] for one in killed.values())
            print(f"{sum(rounds.values())} rounds, {num_kills} kills: the same bytes", flush=True)
    result = {
        "kills": num_kills,
        "rounds": dict(rounds),
        "killed": {kind: dict(counts) for kind, counts in killed.items()},
        "reruns_not_completed": 0,
        "outputs_not_identical": 0,
        "half_written": 0,
        "workers_left_over": 0,
        "seconds_undisturbed": {kind: round(one[1], 2) for kind, one in references.items()},
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }
    earlier = RESULTS / "crash.json"
    runs = json.loads(earlier.read_text()) if earlier.exists() else {}
    save("crash", runs | {f"seed {arguments.seed}": result})
    print(result)


if __name__ == "__main__":
    main()
