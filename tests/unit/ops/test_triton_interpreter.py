"""The Triton kernels, run by Triton's interpreter on the CPU, against the float64 loop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

SCRIPT = Path(__file__).with_name("triton_interpreted.py")
CASES = [
    "several chunks, blocks and groups",
    "one token",
    "no softplus, bias and skip",
    "bfloat16",
    "float16",
    "cross",
    "cs2d",
    "cs2d_wrapped",
    "snake",
]
# Half precision is rounded where it is stored, and nowhere else; the interpreter cuts bfloat16 off.
TOLERANCES = {"bfloat16": 2**-7, "float16": 2**-11}


@pytest.fixture(scope="module")
def errors() -> dict[str, dict[str, float]]:
    """Run all cases in a process where Triton interprets."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_output_and_every_gradient_equal_the_loop(
    case: str, errors: dict[str, dict[str, float]]
) -> None:
    tolerances = {
        name: TOLERANCES.get(case, 1e-6 if name == "y" else 1e-5) for name in errors[case]
    }
    wrong = {name: error for name, error in errors[case].items() if not error < tolerances[name]}
    assert wrong == {}


@pytest.mark.slow
def test_every_case_is_looked_at(errors: dict[str, dict[str, float]]) -> None:
    assert list(errors) == CASES
