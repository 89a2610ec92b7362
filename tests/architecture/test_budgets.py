"""Size budgets of the house style: files of 400 lines, function bodies of 60."""

import ast
from pathlib import Path

import pytest

FILE_LINES = 400
BODY_LINES = 60
SOURCES = ("rsmamba", "cli", "benchmarks", "sample_data", "tests")


def sources(repository: Path) -> list[Path]:
    """Return every Python file of the repository."""
    return sorted(path for folder in SOURCES for path in (repository / folder).rglob("*.py"))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_kernel(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Kernels may be longer: their decorator names the compiler."""
    decorators = " ".join(ast.unparse(decorator) for decorator in function.decorator_list)
    return "triton" in decorators or "njit" in decorators


def test_files_keep_their_budget(repository: Path) -> None:
    """A longer file is two nouns."""
    long = {
        str(path.relative_to(repository)): count
        for path in sources(repository)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    }
    assert long == {}


def test_function_bodies_keep_their_budget(repository: Path) -> None:
    """A longer body is two steps."""
    long = {
        f"{path.relative_to(repository)}:{node.lineno} {node.name}": count
        for path in sources(repository)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_kernel(node)
        if (count := body_lines(node)) > BODY_LINES
    }
    assert long == {}


@pytest.mark.parametrize("folder", ["rsmamba", "cli"])
def test_no_folder_is_a_drawer(folder: str, repository: Path) -> None:
    """A module has a noun for a name."""
    drawers = {"utils", "util", "helpers", "common", "misc", "tools"}
    names = {path.stem for path in (repository / folder).rglob("*")}
    assert names.isdisjoint(drawers)


def test_wheel_lists_every_package(repository: Path) -> None:
    """A folder that is missing in pyproject would be missing after installation."""
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(repository).parts)
        for path in (repository / "rsmamba").rglob("__init__.py")
    }
    assert listed == there | {"rsmamba.cli"}
