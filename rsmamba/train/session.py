"""What a run changes around itself, and changes back: torch, Lightning's voice, and signals."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_session(threads: int | None) -> Iterator[None]:
    """Set threads and random state for the run, restore them after it, and quiet Lightning.

    Args:
        threads: Threads of torch; None leaves them.

    Yields:
        Nothing.
    """
    before = torch.get_num_threads()
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            # Loading in the training process is our default: chips are cut from memory.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # The run folder exists and holds our configuration before the checkpoint is written.
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not")
            # Our sampler begins where the checkpoint is, which Lightning cannot know.
            warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that end")
            # Steps are logged by ourselves, however few there are.
            warnings.filterwarnings("ignore", message="The number of training batches .* is small")
            # Small kernels have several right memory layouts; DDP copies those it did not foresee.
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view")
            # Lightning 2.6 still builds a class that torch 2.15 has renamed.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        torch.set_num_threads(before)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def plain_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run as they end anything else.

    Lightning turns Ctrl-C into ``sys.exit(1)`` and leaves the signal ignored, and SIGTERM into an
    exit with status 0.

    Yields:
        Nothing.

    Raises:
        KeyboardInterrupt: If the user stopped the run.
        SystemExit: If the process was told to end; with status 143.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from stop
        raise SystemExit(stop.code or 128 + signal.SIGTERM) from stop
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
