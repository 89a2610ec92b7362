"""A pipe carries items in order and errors both ways."""

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from rsmamba.prediction.pipe import Pipe, PipeClosedError, consumed_by, produced_by


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_items_arrive_in_order() -> None:
    pipe: Pipe[int] = Pipe(2)

    def produce() -> None:
        for item in range(50):
            pipe.put(item)
        pipe.finish()

    thread = in_thread(produce)
    assert list(pipe) == list(range(50))
    thread.join(5)
    assert not thread.is_alive()


def test_the_producer_waits_while_the_pipe_is_full() -> None:
    pipe: Pipe[int] = Pipe(1)
    pipe.put(0)
    thread = in_thread(lambda: pipe.put(1))
    thread.join(0.05)
    assert thread.is_alive()
    assert next(iter(pipe)) == 0
    thread.join(5)
    assert not thread.is_alive()


def test_an_error_of_the_producer_reaches_the_consumer() -> None:
    pipe: Pipe[int] = Pipe(4)
    pipe.put(0)
    pipe.abort(ValueError("damaged block"))
    with pytest.raises(ValueError, match="damaged block"):
        list(pipe)


def test_an_error_of_the_consumer_reaches_a_waiting_producer() -> None:
    pipe: Pipe[int] = Pipe(1)
    pipe.put(0)
    caught: list[BaseException] = []

    def produce() -> None:
        try:
            pipe.put(1)
        except OSError as error:
            caught.append(error)

    thread = in_thread(produce)
    pipe.abort(OSError("disk full"))
    thread.join(5)
    assert [str(error) for error in caught] == ["disk full"]


def test_the_first_error_stays() -> None:
    pipe: Pipe[int] = Pipe(1)
    pipe.abort(ValueError("first"))
    pipe.abort(ValueError("second"))
    with pytest.raises(ValueError, match="first"):
        pipe.put(0)


def test_a_closed_pipe_says_so() -> None:
    pipe: Pipe[int] = Pipe(1)
    pipe.abort()
    with pytest.raises(PipeClosedError):
        pipe.put(0)


def failing_items() -> Iterator[int]:
    yield 1
    message = "damaged block"
    raise ValueError(message)


def test_items_made_in_a_thread_arrive_with_its_error() -> None:
    arrived: list[int] = []
    with (
        pytest.raises(ValueError, match="damaged block"),
        produced_by(failing_items(), capacity=2, name="making") as items,
    ):
        arrived.extend(items)
    assert not any(thread.name == "making" for thread in threading.enumerate())


def test_a_thread_that_makes_items_ends_with_the_block() -> None:
    with produced_by(itertools.count(), capacity=2, name="making") as items:
        assert list(itertools.islice(items, 3)) == [0, 1, 2]
    assert not any(thread.name == "making" for thread in threading.enumerate())


def test_items_are_used_up_before_the_block_ends() -> None:
    used: list[int] = []
    with consumed_by(used.append, capacity=1, name="using") as use:
        for item in range(20):
            use(item)
    assert used == list(range(20))


def test_an_error_of_the_last_item_is_raised_too() -> None:
    def fail(item: int) -> None:
        message = f"no room for {item}"
        raise OSError(message)

    with (
        pytest.raises(OSError, match="no room for 7"),
        consumed_by(fail, capacity=5, name="using") as use,
    ):
        use(7)
    assert not any(thread.name == "using" for thread in threading.enumerate())
