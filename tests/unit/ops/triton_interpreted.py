"""Run the Triton kernels in Triton's interpreter and print their errors as JSON.

Started by test_triton_interpreter.py in a process of its own, since the interpreter must be asked
for before Triton is imported. Sizes are tiny: the interpreter takes a fraction of a millisecond
for each operation on a block.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rsmamba.ops.scan_paths import ScanPaths
from rsmamba.ops.selective_scan import triton_scan as sequences
from rsmamba.ops.selective_scan.chunked import ScanInputs
from rsmamba.ops.selective_scan.reference import selective_scan_reference
from rsmamba.ops.ss2d import triton_scan as maps
from rsmamba.ops.ss2d.composite import ss2d_composite
from rsmamba.ops.ss2d.inputs import Ss2dInputs
from rsmamba.ops.triton_kernels.plan import Tiling

Errors = dict[str, float]
Inputs = ScanInputs | Ss2dInputs
# Returns the outputs, and the function that turns their gradient into those of all inputs.
Run = Callable[[Any], tuple[Tensor, Callable[[Tensor], Any]]]
TILING = Tiling(tokens=4, channels=8, chunk=8)


def relative(actual: Tensor, expected: Tensor) -> float:
    """Return the largest error relative to the largest value."""
    scale = expected.detach().abs().max().clamp(min=1e-6)
    return float((actual.double() - expected.detach()).abs().max() / scale)


def errors(run: Run, reference: Callable[[Any], Tensor], inputs: Inputs) -> Errors:
    """Compare output and gradients of `run` with autograd through the reference in float64."""
    y, backward = run(inputs)
    leaves: Any = [None if t is None else t.double().requires_grad_() for t in inputs]
    expected = reference(type(inputs)(*leaves))
    dy = torch.linspace(-3, 3, y.numel()).cos().reshape(y.shape).to(y.dtype)
    given = [leaf for leaf in leaves if leaf is not None]
    grads = iter(torch.autograd.grad(expected, given, dy.double()))
    found = {"y": relative(y, expected)}
    for name, value, actual in zip(inputs._fields, inputs, backward(dy), strict=True):
        if value is not None:
            assert actual.dtype == value.dtype, name
            found[name] = relative(actual, next(grads))
    return found


def scan_errors(
    *, batch: int = 1, K: int = 1, L: int, D: int, N: int,
    dtype: torch.dtype = torch.float32, plain: bool = False,
) -> Errors:  # fmt: skip
    """Compare a scan of sequences; `plain` has no softplus, bias and skip."""
    draw = functools.partial(torch.randn, generator=torch.Generator().manual_seed(L))
    dt = draw(batch, K, L, D) - 2
    inputs = ScanInputs(
        x=draw(batch, K, L, D).to(dtype),
        dt=(dt.abs() / 8 if plain else dt).to(dtype),
        A=-draw(K, D, N).abs() * N - 0.01,
        B=draw(batch, K, L, N).to(dtype),
        C=draw(batch, K, L, N).to(dtype),
        D=None if plain else draw(K, D),
        dt_bias=None if plain else draw(K, D),
    )

    def run(inputs: ScanInputs) -> tuple[Tensor, Any]:
        options: Any = {"softplus": not plain, "tiling": TILING}
        y, kept = sequences.triton_forward(inputs, keep_states=True, **options)
        kept[:, :, (L - 1) // TILING.chunk :] = torch.nan
        return y, lambda dy: sequences.triton_backward(dy, inputs, states=kept, **options)

    def reference(inputs: ScanInputs) -> Tensor:
        return selective_scan_reference(**inputs._asdict(), softplus=not plain)

    return errors(run, reference, inputs)


def map_errors(paths: ScanPaths, *, height: int, width: int, D: int, N: int, R: int) -> Errors:
    """Compare a fused scan of a map."""
    draw = functools.partial(torch.randn, generator=torch.Generator().manual_seed(height))
    inputs = Ss2dInputs(
        x=draw(1, height, width, D),
        projections=draw(1, height, width, 4, R + 2 * N),
        dt_weight=draw(4, D, R) * R**-0.5,
        dt_bias=draw(4, D) - 2,
        A=-draw(4, D, N).abs() * N - 0.01,
        D=draw(4, D),
    )

    def run(inputs: Ss2dInputs) -> tuple[Tensor, Any]:
        options: Any = {"paths": paths, "tiling": TILING}
        y, kept = maps.triton_forward(inputs, keep_states=True, **options)
        return y, lambda dy: maps.triton_backward(dy, inputs, states=kept, **options)

    def reference(inputs: Ss2dInputs) -> Tensor:
        return ss2d_composite(**inputs._asdict(), paths=paths, backend="torch")

    return errors(run, reference, inputs)


CASES = {
    "several chunks, blocks and groups": functools.partial(scan_errors, K=2, L=19, D=11, N=2),
    "one token": functools.partial(scan_errors, batch=2, L=1, D=1, N=3),
    "no softplus, bias and skip": functools.partial(scan_errors, L=9, D=3, N=1, plain=True),
    "bfloat16": functools.partial(scan_errors, L=6, D=5, N=2, dtype=torch.bfloat16),
    "float16": functools.partial(scan_errors, L=6, D=5, N=2, dtype=torch.float16),
    "cross": functools.partial(map_errors, "cross", height=3, width=2, D=3, N=1, R=1),
    "cs2d": functools.partial(map_errors, "cs2d", height=3, width=4, D=9, N=2, R=2),
    "cs2d_wrapped": functools.partial(map_errors, "cs2d_wrapped", height=2, width=3, D=2, N=1, R=2),
    "snake": functools.partial(map_errors, "snake", height=2, width=3, D=2, N=1, R=1),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)  # fills what torch.empty returns with NaN
    print(json.dumps({name: case() for name, case in CASES.items()}))  # noqa: T201 - read by the test
