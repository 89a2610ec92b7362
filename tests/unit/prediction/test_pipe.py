"""A pipe carries items in order and errors both ways."""

import threading
from collections.abc import Callable

import pytest

from rsmamba.prediction.pipe import Pipe, PipeClosedError


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
