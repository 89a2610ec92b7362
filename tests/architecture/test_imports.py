"""What importing costs and what the package promises."""

import subprocess
import sys

import pytest

import rsmamba

# Not pydantic: typer itself loads it to read the arguments of a command.
HEAVY = ("torch", "rasterio", "numba", "lightning", "numpy", "scipy", "PIL")


def loaded_after(statement: str) -> set[str]:
    """Return the top level modules that a fresh interpreter has after a statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "statement",
    [
        "import rsmamba",
        "from rsmamba.cli.app import run; run(['--help'])",
        "from rsmamba.cli.app import run; run(['predict', '--help'])",
        "from rsmamba.cli.app import run; run(['predict'])",
        "from rsmamba.cli.app import run; run(['evaluate', '--help'])",
    ],
)
def test_help_and_import_load_nothing_heavy(statement: str) -> None:
    """They stay fast because torch and rasterio are not loaded."""
    assert loaded_after(statement).isdisjoint(HEAVY)


def test_importing_ops_compiles_nothing() -> None:
    """Numba is loaded when the first kernel is needed."""
    assert "numba" not in loaded_after("import rsmamba.ops.ss2d")


@pytest.mark.parametrize("name", rsmamba.__all__)
def test_every_public_name_resolves(name: str) -> None:
    """Lazy names point at things that exist and are listed."""
    assert getattr(rsmamba, name).__name__ == name
    assert name in dir(rsmamba)


def test_unknown_name_lists_the_known_ones() -> None:
    """As an attribute error, so that hasattr works."""
    with pytest.raises(AttributeError, match="no attribute 'segment'; it has AccuracyReport"):
        _ = rsmamba.segment


def test_predict_stays_a_function_after_its_package_is_loaded() -> None:
    """The public function and the package that holds it have different names."""
    import rsmamba.prediction.engine

    assert callable(rsmamba.predict)
