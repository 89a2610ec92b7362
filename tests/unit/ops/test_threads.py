"""Kernels from several threads, in a forked process, and without a cache folder."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import pytest
import torch
from torch import Tensor

from rsmamba.ops.cpu_kernels.compiling import kernel
from rsmamba.ops.cpu_kernels.forward import scan_forward
from rsmamba.ops.cpu_kernels.threads import run_tasks
from rsmamba.ops.selective_scan import selective_scan

Fixture = Callable[..., Any]


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch, and so the kernels, use two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def scan(tensors: dict[str, Any]) -> list[Tensor]:
    """Return the output and all gradients."""
    leaves = {name: tensor.float().requires_grad_() for name, tensor in tensors.items()}
    y = selective_scan(**leaves)
    return [y, *torch.autograd.grad(y.square().sum(), list(leaves.values()))]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("batch", [1, 9])
def test_results_do_not_depend_on_the_number_of_threads(batch: int, scan_tensors: Fixture) -> None:
    tensors = scan_tensors(batch=batch, L=130, D=80, N=8)
    two = scan(tensors)
    torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(scan(tensors), two, strict=True))


@pytest.mark.usefixtures("two_threads")
def test_two_threads_may_call_at_once(scan_tensors: Fixture) -> None:
    sets = [scan_tensors(K=4, L=length, D=48, N=8) for length in (200, 131)]
    expected = [scan(tensors) for tensors in sets]
    results: list[list[list[Tensor]]] = [[], []]

    def work(index: int) -> None:
        results[index] = [scan(sets[index]) for _ in range(5)]

    workers = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for index in range(2):
        for result in results[index]:
            assert all(torch.equal(a, b) for a, b in zip(result, expected[index], strict=True))
        assert len(results[index]) == 5


@pytest.mark.usefixtures("two_threads")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_its_own_threads(scan_tensors: Fixture) -> None:
    tensors = {name: t.float() for name, t in scan_tensors(K=4, L=100, D=32, N=8).items()}
    expected = selective_scan(**tensors)  # starts the parent's threads
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        sender.send(torch.equal(selective_scan(**tensors), expected))

    process = context.Process(target=work)
    process.start()
    assert receiver.poll(60)
    assert receiver.recv()
    process.join(10)
    assert process.exitcode == 0


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_a_task_reaches_the_caller() -> None:
    def fail(first: int, last: int) -> None:
        message = f"broken task in {first} to {last}"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="broken task"):
        run_tasks(fail, 4)


def test_kernels_compile_without_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = numba.njit

    def refuse(function: Callable[..., Any], **options: bool) -> Any:  # noqa: ANN401 - as numba's
        if options.pop("cache", False):
            message = "cannot cache function: no locator available"
            raise RuntimeError(message)
        return real(function, **options)

    monkeypatch.setattr("rsmamba.ops.cpu_kernels.compiling.njit", refuse)
    assert kernel(lambda value: value + 1)(41) == 42


def test_cached_kernels_know_every_file_they_are_made_from() -> None:
    """A change of the code that emits instructions must not leave old machine code in use."""
    compiled: Any = scan_forward
    stamp = compiled._cache._cache_file._source_stamp
    assert {"emit.py", "forward.py", "lots.py"} <= {name for name, _, _ in stamp[1]}
