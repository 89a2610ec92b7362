"""Powers of two as kernels compute them, with and without AVX-512, against float64."""

from typing import Any

import numpy as np
import pytest
from numba import njit, types

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction
from rsmamba.ops.cpu_kernels.vectors import address_type

RATE = -1.7


def compiled_powers() -> Any:  # noqa: ANN401 - what numba compiles
    """Compile a function that replaces 16 numbers by 2 to the power of RATE times each."""

    @instruction
    def replace(typing_context: Any, address: Any) -> Any:  # noqa: ANN401, ARG001
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401, ARG001
            values = [emit.load(builder, args[0])]
            powers = emit.exp2_of_products(builder, values, [emit.constant(RATE)])
            emit.store(builder, args[0], powers[0])
            return context.get_dummy_value()

        return types.void(address_type), code

    def run(address: int) -> None:
        replace(address)

    return njit(run)


@pytest.mark.parametrize("looked_up", [True, False])
def test_powers_are_exact_to_rounding(looked_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if looked_up and not emit._has_avx512():
        pytest.skip("this CPU has no AVX-512")
    monkeypatch.setattr(emit, "_has_avx512", lambda: looked_up)
    powers = compiled_powers()
    steps = np.concatenate([np.linspace(0, 70, 4096), np.geomspace(1e-8, 1, 1024)])
    values = steps.astype(np.float32).reshape(-1, 16)
    expected = np.exp2(np.float32(RATE).astype(float) * values)
    for row in values:
        powers(row.ctypes.data)
    error = np.abs(values / expected - 1)
    # A rounded product moves the power by up to 1e-5 at 2**-119; the lookup never rounds it.
    assert error.max() < (2e-7 if looked_up else 1e-5)
    assert error[expected > 0.5].max() < 2e-7


@pytest.mark.parametrize("looked_up", [True, False])
def test_powers_fade_out_for_any_step(looked_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if looked_up and not emit._has_avx512():
        pytest.skip("this CPU has no AVX-512")
    monkeypatch.setattr(emit, "_has_avx512", lambda: looked_up)
    values = np.geomspace(1e2, 1e18, 16).astype(np.float32)
    compiled_powers()(values.ctypes.data)
    assert (values >= 0).all()
    assert (values < 2e-38).all()
