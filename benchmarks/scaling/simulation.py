"""A batch on many workers, event by event.

The graph of tasks is that of ``rsmamba batch --scheduler``: a survey of each scene, its blocks, and
one assembly; one scene more than there are workers is in work at a time. All messages pass a head
(the command and Dask's scheduler), which serves one at a time. Workers differ in speed and die; a
block goes on after the last strip that was finished.
"""

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field

import numpy as np

_FEWEST_TILE_ROWS = 8
_BLOCKS_A_WORKER = 4
_MOST_DEATHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Workers and what disturbs them.

    Attributes:
        workers: Number of workers.
        head_seconds: Time that the head needs for a task, from order to result.
        speed_spread: Standard deviation of the logarithm of a worker's speed.
        slow_share: Share of workers that are slow.
        slow_factor: How many times longer these take.
        hours_between_deaths: Mean time that a worker lives; infinite if none dies.
        restart_seconds: Time until a dead worker is replaced and has its model.
    """

    workers: int
    head_seconds: float = 0.004
    speed_spread: float = 0.0
    slow_share: float = 0.0
    slow_factor: float = 3.0
    hours_between_deaths: float = float("inf")
    restart_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Scenes, all alike.

    Attributes:
        scenes: Number of scenes.
        tile_rows: Rows of tiles of a scene.
        survey_seconds: Time to look at a scene and to make its checksum.
        row_seconds: Time to compute a row of tiles.
        assembly_seconds: Time to make the files of a scene from its strips.
    """

    scenes: int
    tile_rows: int
    survey_seconds: float
    row_seconds: float
    assembly_seconds: float

    @property
    def work_seconds(self) -> float:
        """Time of all tasks, without the rows that cuts cost."""
        scene = self.survey_seconds + self.tile_rows * self.row_seconds + self.assembly_seconds
        return self.scenes * scene


@dataclass(slots=True, kw_only=True)
class _Task:
    """A task: its scene, its length, and the length of what is kept when its worker dies."""

    scene: int
    kind: str
    seconds: float
    step_seconds: float = 0.0
    deaths: int = 0


@dataclass(slots=True, kw_only=True)
class Run:
    """What happened.

    Attributes:
        seconds: Time from start to end.
        tasks: Tasks that were ordered, again after a death included.
        blocks: Blocks among them, each counted once.
        deaths: Workers that died.
        failed_scenes: Scenes given up after three deaths over one of their tasks.
        busy_seconds: Time that workers were busy, all together.
        lost_seconds: Part of it whose result was lost.
        head_busy_seconds: Time that the head was busy.
        head_wait_seconds: Longest time that a message waited for the head.
        speed: Speeds of all workers added up, 1 being what was measured.
        tail_seconds: Time at the end in which fewer than half of the workers had work.
    """

    seconds: float = 0.0
    tasks: int = 0
    blocks: int = 0
    deaths: int = 0
    failed_scenes: int = 0
    busy_seconds: float = 0.0
    lost_seconds: float = 0.0
    head_busy_seconds: float = 0.0
    head_wait_seconds: float = 0.0
    speed: float = 0.0
    tail_seconds: float = 0.0


@dataclass(slots=True)
class _State:
    """What is under way."""

    todo: int
    active: int = 0
    blocks_left: dict[int, int] = field(default_factory=dict)
    given_up: set[int] = field(default_factory=set)
    half_busy_at: float = 0.0


def simulate(load: Load, cluster: Cluster, *, seed: int = 0) -> Run:
    """Run a batch.

    Args:
        load: The scenes.
        cluster: The workers.
        seed: Decides speeds and deaths.

    Returns:
        What happened.
    """
    return _Simulation(load, cluster, np.random.default_rng(seed)).run()


class _Simulation:
    """Events in the order of time."""

    def __init__(self, load: Load, cluster: Cluster, random: np.random.Generator) -> None:
        self._load, self._cluster, self._random = load, cluster, random
        self._result = Run()
        self._state = _State(todo=load.scenes)
        self._now = 0.0
        self._head_free = 0.0
        self._events: list[tuple[float, int, str, int, _Task | None]] = []
        self._numbers = itertools.count()
        self._ready: deque[_Task] = deque()
        self._idle = deque(range(cluster.workers))
        self._slowness = np.exp(random.normal(0, cluster.speed_spread, cluster.workers))
        self._slowness[random.random(cluster.workers) < cluster.slow_share] *= cluster.slow_factor
        self._result.speed = float(np.sum(1 / self._slowness))
        # A long-lived worker draws its death once, and again after it was replaced.
        self._dies_at = [self._lifetime() for _ in range(cluster.workers)]

    def run(self) -> Run:
        """Go on until no event is left."""
        self._begin_scenes()
        while self._events:
            self._now, _, kind, worker, task = heapq.heappop(self._events)
            if kind == "ready" and task is not None:
                self._ready.append(task)
            elif kind == "back":
                self._dies_at[worker] = self._now + self._lifetime()
                self._idle.append(worker)
            elif task is not None:
                if kind == "end":
                    self._idle.append(worker)
                self._end(task)
            self._hand_out()
        self._result.tail_seconds = self._result.seconds - self._state.half_busy_at
        return self._result

    def _begin_scenes(self) -> None:
        while self._state.todo and self._state.active <= self._cluster.workers:
            scene = self._load.scenes - self._state.todo
            self._state.todo -= 1
            self._state.active += 1
            self._order(_Task(scene=scene, kind="survey", seconds=self._load.survey_seconds))

    def _order(self, task: _Task) -> None:
        """Send a task through the head."""
        self._result.tasks += 1
        self._result.head_wait_seconds = max(
            self._result.head_wait_seconds, self._head_free - self._now
        )
        self._head_free = max(self._head_free, self._now) + self._cluster.head_seconds
        self._result.head_busy_seconds += self._cluster.head_seconds
        self._push(self._head_free, "ready", -1, task)

    def _push(self, moment: float, kind: str, worker: int, task: _Task | None) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), kind, worker, task))

    def _hand_out(self) -> None:
        while self._ready and self._idle:
            self._start(self._idle.popleft(), self._ready.popleft())
        if self._state.active and len(self._idle) <= self._cluster.workers // 2:
            self._state.half_busy_at = self._now

    def _start(self, worker: int, task: _Task) -> None:
        if self._dies_at[worker] <= self._now:
            # It died while it had nothing to do, and was replaced unnoticed.
            self._dies_at[worker] = self._now + self._lifetime()
        seconds = task.seconds * float(self._slowness[worker])
        end, death = self._now + seconds, self._dies_at[worker]
        if end <= death:
            self._result.busy_seconds += seconds
            self._push(end, "end", worker, task)
            return
        self._die(worker, task, spent=death - self._now)

    def _die(self, worker: int, task: _Task, *, spent: float) -> None:
        self._result.deaths += 1
        self._result.busy_seconds += spent
        done = spent / float(self._slowness[worker])
        kept = done // task.step_seconds * task.step_seconds if task.step_seconds else 0.0
        self._result.lost_seconds += (done - kept) * float(self._slowness[worker])
        death = self._now + spent
        self._push(death + self._cluster.restart_seconds, "back", worker, None)
        rest = _Task(
            scene=task.scene,
            kind=task.kind,
            seconds=task.seconds - kept,
            step_seconds=task.step_seconds,
            deaths=task.deaths + 1,
        )
        if rest.deaths < _MOST_DEATHS:
            self._result.tasks += 1
            self._push(death + self._cluster.head_seconds, "ready", -1, rest)
            return
        self._push(death, "given up", -1, rest)

    def _end(self, task: _Task) -> None:
        """Order what follows a task."""
        state, load = self._state, self._load
        if task.scene in state.given_up:
            return
        if task.deaths >= _MOST_DEATHS:
            state.given_up.add(task.scene)
            self._result.failed_scenes += 1
            self._leave()
        elif task.kind == "survey":
            self._order_blocks(task.scene)
        elif task.kind == "block":
            state.blocks_left[task.scene] -= 1
            if not state.blocks_left[task.scene]:
                seconds = load.assembly_seconds
                self._order(_Task(scene=task.scene, kind="assembly", seconds=seconds))
        else:
            self._leave()

    def _leave(self) -> None:
        self._state.active -= 1
        # Workers may come back after the last scene.
        self._result.seconds = self._now
        self._begin_scenes()

    def _order_blocks(self, scene: int) -> None:
        load = self._load
        count = num_blocks(
            load.tile_rows,
            workers=self._cluster.workers,
            scenes=self._state.active + self._state.todo,
        )
        self._state.blocks_left[scene] = count
        self._result.blocks += count
        for block in range(count):
            own = (block + 1) * load.tile_rows // count - block * load.tile_rows // count
            # A cut costs one more row of tiles.
            seconds = (own + (count > 1)) * load.row_seconds
            step = load.row_seconds
            self._order(_Task(scene=scene, kind="block", seconds=seconds, step_seconds=step))

    def _lifetime(self) -> float:
        mean = self._cluster.hours_between_deaths * 3600
        return float("inf") if mean == float("inf") else float(self._random.exponential(mean))


def num_blocks(tile_rows: int, *, workers: int, scenes: int) -> int:
    """Cut a scene only as far as workers would otherwise be idle, as the batch does.

    Args:
        tile_rows: Rows of tiles of the scene.
        workers: Workers.
        scenes: Scenes that are not finished.

    Returns:
        Number of blocks.
    """
    share = -(-workers // scenes)
    most = max(
        min(share, tile_rows // 2), min(_BLOCKS_A_WORKER * share, tile_rows // _FEWEST_TILE_ROWS)
    )
    return max(most, 1)
