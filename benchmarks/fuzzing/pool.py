"""Long-lived children that run cases, watched for time and memory."""

import multiprocessing
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmarks.fuzzing.cases import Case, Outcome, Seeds, run_case
from rsmamba.errors import RsmambaError
from rsmamba.geo.scene import Scene

LONGEST_SECONDS = 30.0
LARGEST_BYTES = 2 * 2**30
# A scene that claims more is worked through, which takes its time.
MANY_PIXELS = 500_000
WORKING = "still at work on many pixels"
# Well above what is allowed, so that it only protects the machine.
_HARD_BYTES = 16 * 2**30
_BYTES_PER_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A case that was run.

    Attributes:
        case: The case.
        outcome: What happened.
        seconds: How long it took.
        peak_bytes: Most resident memory of the process during it.
    """

    case: Case
    outcome: Outcome
    seconds: float
    peak_bytes: int


class _Child:
    """One process and the case it is at."""

    def __init__(self, folder: Path, seeds: Seeds) -> None:
        self.folder = folder
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, folder, seeds), daemon=True)
        self.process.start()
        other.close()
        self.case: Case | None = None
        self.started = 0.0

    def give(self, case: Case) -> None:
        """Start a case."""
        self.case, self.started = case, time.monotonic()
        self.pipe.send(case)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def excess(self) -> str:
        """Say what it takes too much of."""
        if time.monotonic() - self.started > LONGEST_SECONDS:
            pixels = _claimed_pixels(self.folder / "in" / "scene.tif")
            return WORKING if pixels > MANY_PIXELS else f"hang: more than {LONGEST_SECONDS:.0f} s"
        if _resident_bytes(self.process.pid) > LARGEST_BYTES:
            return f"memory: more than {LARGEST_BYTES >> 20} MiB"
        return "" if self.process.is_alive() else f"died: {self.process.exitcode}"


def run_cases(
    cases: Sequence[Case], seeds: Seeds, folder: Path, *, workers: int
) -> Iterator[Finished]:
    """Run cases in children; one that hangs, grows or dies is replaced.

    Args:
        cases: The cases.
        seeds: Whole files.
        folder: An existing folder for all that is written.
        workers: Number of children.

    Yields:
        The cases as they end.
    """
    waiting = deque(cases)

    def start(number: int) -> _Child:
        place = folder / f"child{number}"
        place.mkdir(exist_ok=True)
        return _Child(place, seeds)

    children = {number: start(number) for number in range(min(workers, len(waiting)))}
    try:
        while waiting or any(child.case for child in children.values()):
            for child in children.values():
                if child.case is None and waiting:
                    child.give(waiting.popleft())
            ready = wait([child.pipe for child in children.values() if child.case], timeout=0.05)
            for number, child in list(children.items()):
                done = _result(child, is_ready=child.pipe in ready)
                if done is None:
                    continue
                yield done
                if done.outcome.status in (_KILLED, _WORKING):
                    child.stop()
                    children[number] = start(number)
    finally:
        for child in children.values():
            child.stop()


_KILLED, _WORKING = -9, -10


def _claimed_pixels(scene: Path) -> int:
    """Pixels that a damaged scene says it has; a sparse file may have them all."""
    try:
        with Scene.open(scene) as opened:
            return opened.grid.height * opened.grid.width
    except RsmambaError:
        return 0


def _result(child: _Child, *, is_ready: bool) -> Finished | None:
    """What a child has to say, or what there is to say of it."""
    case = child.case
    if case is None:
        return None
    seconds = time.monotonic() - child.started
    if is_ready:
        try:
            outcome, peak_bytes = child.pipe.recv()
        except (EOFError, OSError):
            outcome, peak_bytes = Outcome(status=_KILLED, fault="died"), 0
    elif fault := child.excess():
        status = _WORKING if fault == WORKING else _KILLED
        outcome = Outcome(status=status, fault="" if fault == WORKING else fault)
        peak_bytes = _resident_bytes(child.process.pid)
    else:
        return None
    child.case = None
    return Finished(case=case, outcome=outcome, seconds=seconds, peak_bytes=peak_bytes)


def _work(pipe: Connection, folder: Path, seeds: Seeds) -> None:
    """Run cases until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_AS, (_HARD_BYTES, _HARD_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    measured: Callable[[Case], tuple[Outcome, int]] = lambda case: _measured(case, seeds, folder)  # noqa: E731
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        pipe.send(measured(case))


def _measured(case: Case, seeds: Seeds, folder: Path) -> tuple[Outcome, int]:
    # Writing 5 sets the high-water mark back; proc(5).
    Path("/proc/self/clear_refs").write_text("5")
    outcome = run_case(case, seeds, folder)
    return outcome, _status_bytes(os.getpid(), "VmHWM")


def _resident_bytes(pid: int | None) -> int:
    try:
        return _status_bytes(pid, "VmRSS")
    except (OSError, StopIteration):
        return 0


def _status_bytes(pid: int | None, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * _BYTES_PER_KIB
