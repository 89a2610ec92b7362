"""Scenes spread over workers: surveyed, cut into blocks, computed, assembled, and named here.

Only this process gives outputs their names and removes folders, so a worker that was thought lost
cannot harm a later run.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from rsmamba.batch.blocks import (
    BlockDone,
    SceneTask,
    Survey,
    assemble_scene,
    compute_block,
    survey,
)
from rsmamba.batch.jobs import SceneJob
from rsmamba.batch.pools import Pool
from rsmamba.batch.records import check_folder
from rsmamba.batch.result import Finished
from rsmamba.errors import ClusterError
from rsmamba.geo.environment import is_local
from rsmamba.geo.trust import remote_allowed
from rsmamba.geo.window import Window
from rsmamba.prediction.assembly import Assembled
from rsmamba.prediction.finishing import find_outputs
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.work import SceneWork

# Each block computes one tile row more than its own share.
_FEWEST_TILE_ROWS = 8
_BLOCKS_A_WORKER = 4
_MOST_DEATHS = 3
_SECONDS_BETWEEN_CHECKS = 1.0

Step = Callable[[Any], Iterable["Order"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A task for a worker.

    Attributes:
        function: What to call.
        arguments: With what.
        then: What to do with its result.
        deaths: Workers that died while they had it.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    then: Step
    deaths: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class SceneRun:
    """A scene that is being worked on.

    Attributes:
        job: The scene.
        task: What workers are told of it.
        num_blocks: Says into how many blocks so many tile rows are cut.
        started: When it began.
        work: Its unfinished work, once its survey is done.
        found: Its survey.
        assembled: Its finished files.
        waiting: Blocks that are not computed.
        blocks: Blocks that are.
        open_orders: Orders that workers have.
    """

    job: SceneJob
    task: SceneTask
    num_blocks: Callable[[int], int]
    started: float = field(default_factory=time.perf_counter)
    work: SceneWork | None = None
    found: Survey | None = None
    assembled: Assembled | None = None
    waiting: int = 0
    blocks: list[BlockDone] = field(default_factory=list)
    open_orders: int = 0

    def begin(self) -> Iterator[Order]:
        """Order the survey.

        Yields:
            The order.
        """
        yield Order(function=survey, arguments=(self.task,), then=self.cut)

    def cut(self, found: Survey) -> Iterator[Order]:
        """Take the scene's folders and order its blocks.

        Args:
            found: The survey.

        Yields:
            The orders.
        """
        self.found, self.work = found, SceneWork(self.task.paths)
        self.work.begin(found.identity)
        if self.work.assembled is not None:
            self.assembled = self.work.assembled
            return
        OutputPaths.check(self.job.out, config=self.job.config, scene=self.job.scene)
        blocks = cut_rows(found, self.num_blocks(len(found.cuts)))
        self.waiting = len(blocks)
        for block in blocks:
            arguments = (self.task, found, self.work.folder, block)
            yield Order(function=compute_block, arguments=arguments, then=self.collect)

    def collect(self, done: BlockDone) -> Iterator[Order]:
        """Take note of a block, and order the assembly after the last.

        Args:
            done: The block.

        Yields:
            The order.
        """
        self.blocks.append(done)
        self.waiting -= 1
        if self.waiting == 0 and self.found is not None and self.work is not None:
            arguments = (self.task, self.found, self.work.folder)
            yield Order(function=assemble_scene, arguments=arguments, then=self.take)

    def take(self, done: Assembled) -> Iterator[Order]:
        """Take the finished files.

        Args:
            done: The files.

        Returns:
            No order.
        """
        self.assembled = done
        return iter(())

    def finish(self) -> Finished:
        """Give the outputs their names.

        Returns:
            What was done.

        Raises:
            ClusterError: If the scene is not complete.
        """
        if self.work is None or self.found is None or self.assembled is None:
            message = f"{self.job.scene} was left unfinished; run the same command again"
            raise ClusterError(message)
        self.work.publish(self.assembled)
        pixels, counts = self.found.height * self.found.width, self.assembled.class_pixels
        computed = sum(block.computed_pixels for block in self.blocks)
        return Finished(
            seconds=time.perf_counter() - self.started,
            cpu_seconds=sum(block.cpu_seconds for block in self.blocks),
            pixels=pixels,
            masked_pixels=pixels - sum(counts),
            resumed_pixels=max(pixels - computed, 0),
            class_pixels=counts,
        )

    def close(self) -> None:
        """Leave what is not finished to the next run."""
        if self.work is not None:
            self.work.close()


class Distribution:
    """Predicts scenes by the workers of a pool, several at a time.

    Args:
        jobs: The scenes.
        pool: The workers.
        model: Model file, or name of a bundled model.
        model_key: Hash of the model file.
        device: Where to compute.
        threads: Threads of the network in each worker.
    """

    def __init__(
        self,
        jobs: Iterable[SceneJob],
        *,
        pool: Pool,
        model: str,
        model_key: str,
        device: str,
        threads: int,
    ) -> None:
        self._todo = deque(jobs)
        self._pool = pool
        self._fields: dict[str, Any] = {
            "model": model,
            "model_key": model_key,
            "device": device,
            "threads": threads,
        }
        self._active: list[SceneRun] = []
        self._orders: dict[Future[Any], tuple[SceneRun, Order]] = {}

    def finish(self) -> Iterator[tuple[SceneJob, Finished | Exception]]:
        """Predict the scenes.

        Yields:
            Each job, as it ends, with what came out or what stopped it.

        Raises:
            ClusterError: If the workers are gone for good.
        """
        try:
            while self._todo or self._active:
                # One more than can run, so that no worker waits for a survey.
                while self._todo and len(self._active) <= self._pool.size:
                    yield from self._begin(self._todo.popleft())
                ended, _ = wait(
                    self._orders, timeout=_SECONDS_BETWEEN_CHECKS, return_when=FIRST_COMPLETED
                )
                self._pool.check()
                for future in ended:
                    yield from self._take(future)
        finally:
            for run in self._active:
                run.close()

    def _begin(self, job: SceneJob) -> Iterator[tuple[SceneJob, Finished | Exception]]:
        try:
            check_folder(job.out.parent)
            paths = find_outputs(job.out, config=job.config, scene=job.scene)
        except Exception as error:  # noqa: BLE001 - what stops one scene does not stop the others
            yield job, error
            return
        scene = str(Path(job.scene).absolute()) if is_local(job.scene) else job.scene
        config = replace(job.config, allow_remote=job.config.allow_remote or remote_allowed())
        task = SceneTask(scene=scene, paths=paths, config=config, **self._fields)
        run = SceneRun(job=job, task=task, num_blocks=self._num_blocks)
        self._active.append(run)
        yield from self._advance(run, run.begin)

    def _take(self, future: Future[Any]) -> Iterator[tuple[SceneJob, Finished | Exception]]:
        run, order = self._orders.pop(future)
        run.open_orders -= 1
        if run not in self._active:
            return

        def step() -> Iterable[Order]:
            try:
                result = future.result()
            except (BrokenExecutor, CancelledError):
                return [_again(order)]
            return order.then(result)

        yield from self._advance(run, step)

    def _advance(
        self, run: SceneRun, step: Callable[[], Iterable[Order]]
    ) -> Iterator[tuple[SceneJob, Finished | Exception]]:
        outcome: Finished | Exception | None = None
        try:
            for order in step():
                future = self._pool.submit(order.function, *order.arguments)
                self._orders[future] = run, order
                run.open_orders += 1
            if run.open_orders == 0:
                outcome = run.finish()
        except Exception as error:  # noqa: BLE001 - what stops one scene does not stop the others
            self._pool.check()
            outcome = error
        if outcome is not None:
            self._active.remove(run)
            run.close()
            yield run.job, outcome

    def _num_blocks(self, tile_rows: int) -> int:
        share = -(-self._pool.size // (len(self._active) + len(self._todo)))
        most = max(
            min(share, tile_rows // 2),
            min(_BLOCKS_A_WORKER * share, tile_rows // _FEWEST_TILE_ROWS),
        )
        return max(most, 1)


def cut_rows(found: Survey, num_blocks: int) -> list[Window]:
    """Cut a scene into blocks of strips.

    Args:
        found: Its survey.
        num_blocks: How many at most.

    Returns:
        The blocks, from top to bottom, in pixels of the outputs.
    """
    places = [round(index * len(found.cuts) / num_blocks) for index in range(1, num_blocks)]
    inner = sorted({found.cuts[place] for place in places if place < len(found.cuts)})
    return [
        Window(row=row, col=0, height=stop - row, width=found.width)
        for row, stop in pairwise([0, *inner, found.height])
    ]


def _again(order: Order) -> Order:
    """Order once more what a worker took along when it died."""
    if order.deaths + 1 >= _MOST_DEATHS:
        message = (
            f"{_MOST_DEATHS} workers died while this scene was computed, perhaps for lack of "
            "memory; give fewer workers or a smaller --mem-limit"
        )
        raise ClusterError(message)
    return replace(order, deaths=order.deaths + 1)
