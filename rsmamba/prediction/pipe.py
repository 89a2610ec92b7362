"""A bounded queue between two threads that carries errors both ways."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")


class PipeClosedError(Exception):
    """The other side of a pipe stopped without an error of its own."""


class Pipe(Generic[Item]):
    """Hand items from a producing thread to a consuming one, a few at a time.

    The producer calls ``put`` and at last ``finish``; the consumer iterates. Either side may end
    the work with ``abort``: waiting items are dropped and the other side's call, also one that
    waits, raises the given error.

    Args:
        capacity: Items that may wait, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._finished = False
        self._error: BaseException | None = None

    def put(self, item: Item) -> None:
        """Hand an item over; wait while the pipe is full.

        Args:
            item: The item.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._items) < self._capacity or self._error is not None
            )
            self.check()
            self._items.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """Say that no item follows."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def abort(self, error: BaseException | None = None) -> None:
        """End the work; the first error stays.

        Args:
            error: What the other side shall raise; None for no reason of its own.
        """
        with self._changed:
            self._error = self._error or error or PipeClosedError()
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in order until the producer finishes.

        Yields:
            The items.
        """
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: bool(self._items) or self._finished or self._error is not None
                )
                self.check()
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def check(self) -> None:
        """Raise what the work was aborted with, if it was."""
        if self._error is not None:
            raise self._error


@contextmanager
def produced_by(items: Iterable[Item], *, capacity: int, name: str) -> Iterator[Iterable[Item]]:
    """Make items in a thread, ahead of their use.

    Args:
        items: What to make; iterated in the thread, and closed there.
        capacity: Items that may wait.
        name: Name of the thread.

    Yields:
        The items; an error of the thread is raised where they are used. When the block ends the
        thread ends too, with or without an error.
    """
    pipe: Pipe[Item] = Pipe(capacity)

    def work() -> None:
        try:
            for item in items:
                pipe.put(item)
            pipe.finish()
        except BaseException as error:  # noqa: BLE001 - raised again by the other thread
            pipe.abort(error)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield pipe
    finally:
        pipe.abort()
        thread.join()


@contextmanager
def consumed_by(
    consume: Callable[[Item], None], *, capacity: int, name: str
) -> Iterator[Callable[[Item], None]]:
    """Use items up in a thread, behind their making.

    Args:
        consume: What to do with each item; called in the thread, in order.
        capacity: Items that may wait.
        name: Name of the thread.

    Yields:
        A function to hand an item over; an error of the thread is raised by its next call. When the
        block ends all items are used up, or the thread's error is raised.
    """
    pipe: Pipe[Item] = Pipe(capacity)

    def work() -> None:
        try:
            for item in pipe:
                consume(item)
        except BaseException as error:  # noqa: BLE001 - raised again by the other thread
            pipe.abort(error)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield pipe.put
        pipe.finish()
        thread.join()
        pipe.check()
    finally:
        pipe.abort()
        thread.join()
