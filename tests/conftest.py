"""Fixtures that every test may use."""

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
