"""Pools of workers: processes of this machine, or a Dask cluster."""

import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any, Protocol

from rsmamba.errors import ClusterError, OptionError, require

_SECONDS_TO_CONNECT = 30


class Pool(Protocol):
    """Workers that run functions."""

    @property
    def size(self) -> int:
        """Tasks that run at the same time."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:  # noqa: ANN401 - any function
        """Hand a task over.

        Args:
            function: A function that workers can import.
            *arguments: What it is called with.

        Returns:
            Its result, later.
        """

    def check(self) -> None:
        """Raise if the workers are gone for good."""

    def close(self) -> None:
        """Stop the workers, or leave them."""


class ProcessPool:
    """Processes of this machine. One that dies is replaced, and all die with their parent.

    Args:
        workers: How many, 1 or more.

    Attributes:
        size: How many.

    Raises:
        OptionError: If there are none.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            message = f"workers {workers} is not a number of processes; give 1 or more"
            raise OptionError(message)
        self.size = workers
        self._executor = self._start()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:  # noqa: ANN401 - any function
        """Hand a task over.

        Args:
            function: A function that workers can import.
            *arguments: What it is called with.

        Returns:
            Its result, later; ``BrokenExecutor`` if a worker died.
        """
        try:
            return self._executor.submit(function, *arguments)
        except BrokenExecutor:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._start()
            return self._executor.submit(function, *arguments)

    def check(self) -> None:
        """Do nothing: workers that died are replaced."""

    def close(self) -> None:
        """Stop the workers at once."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.size, mp_context=context, initializer=_begin)


class DaskPool:
    """The workers of a Dask cluster that somebody started.

    Args:
        address: Address of the scheduler, such as ``tcp://host:8786``, or path of a scheduler file.
        resources: What a task asks of a worker, such as ``{"GPU": 1}``.

    Attributes:
        size: Threads of all workers, now.

    Raises:
        ClusterError: If no scheduler answers, or it has no worker.
    """

    def __init__(self, address: str, *, resources: dict[str, float] | None = None) -> None:
        distributed = require("distributed", extra="cluster")
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._address = address
        where = address if "://" in address else _address_in(Path(address))
        try:
            self._client = distributed.Client(
                where, timeout=_SECONDS_TO_CONNECT, set_as_default=False
            )
        except (OSError, ValueError) as error:
            message = f"no Dask scheduler answers at {address}: {error}; is it running?"
            raise ClusterError(message) from error
        self.size = sum(self._client.nthreads().values())
        if self.size == 0:
            self._client.close()
            message = f"the Dask scheduler at {address} has no worker; start some"
            raise ClusterError(message)
        self._executor = self._client.get_executor(pure=False, retries=3, resources=resources or {})

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:  # noqa: ANN401 - any function
        """Hand a task over.

        Args:
            function: A function that workers can import.
            *arguments: What it is called with.

        Returns:
            Its result, later.
        """
        self.check()
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future

    def check(self) -> None:
        """Say if the scheduler is gone.

        Raises:
            ClusterError: If it is.
        """
        if self._client.status != "running":
            message = (
                f"the Dask scheduler at {self._address} is gone; what is finished stays: start a "
                "cluster and run the same command"
            )
            raise ClusterError(message)

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close(timeout=5)


def _address_in(file: Path) -> str:
    """Return the address in a scheduler file; Dask itself waits for ever for an absent one."""
    try:
        address: str = json.loads(file.read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = (
            f"no Dask scheduler answers at {file}: it is not a scheduler file; begin one with "
            f"dask scheduler --scheduler-file {file}, or give tcp://HOST:PORT"
        )
        raise ClusterError(message) from error
    return address


def _begin() -> None:
    """Let a worker process end with its parent."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()


def _die_with(sentinel: int) -> None:
    """A worker whose parent was killed would wait for ever."""
    wait_for([sentinel])
    os._exit(1)
