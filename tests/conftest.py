"""Fixtures that every test may use."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def sample_data(repository: Path) -> Path:
    """The two small scenes that the repository carries."""
    return repository / "sample_data"


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real imagery that lies beside the checkout; tests skip without it."""
    folder = repository.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real imagery is not beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads what the user's own commands remembered, or adds to it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RSMAMBA_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def plain_interrupts() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where the shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def own_log_levels() -> Iterator[None]:
    """What a command of one test sets for the whole process does not reach the next test."""
    loggers = [logging.getLogger(name) for name in ("rsmamba", "rasterio")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)
