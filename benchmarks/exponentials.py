"""How fast one thread computes powers of two as the scan kernels do, data in the L1 cache.

Two forms: the polynomial that any CPU runs, which is the common yardstick, and the product and
power in one, which kernels use and which looks powers up where the CPU has AVX-512.
"""

from typing import Any

import numpy as np
from numba import types

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction, kernel
from rsmamba.ops.cpu_kernels.vectors import address_type

_VECTORS = 8
_ROUNDS = 200_000
_memory = np.full((_VECTORS + 2) * emit.LANES, -0.1, np.float32)


@instruction
def _polynomials(typing_context: Any, address: Any) -> Any:  # noqa: ANN401, ARG001
    """Replace 8 vectors by 2 to their power."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401, ARG001
        loaded = [emit.load(builder, args[0], index) for index in range(_VECTORS)]
        for index, value in enumerate(emit.exp2(builder, loaded)):
            emit.store(builder, args[0], value, index=index)
        return context.get_dummy_value()

    return types.void(address_type), code


@instruction
def _products(typing_context: Any, address: Any) -> Any:  # noqa: ANN401, ARG001
    """Replace 8 vectors by 2 to the power of their product with another."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401, ARG001
        loaded = [emit.load(builder, args[0], index) for index in range(_VECTORS)]
        factors = [emit.load(builder, args[0], _VECTORS)] * _VECTORS
        for index, value in enumerate(emit.exp2_of_products(builder, loaded, factors)):
            emit.store(builder, args[0], value, index=index)
        return context.get_dummy_value()

    return types.void(address_type), code


@kernel
def _loop_polynomials(address: Any, rounds: Any) -> None:  # noqa: ANN401
    for _ in range(rounds):
        _polynomials(address)


@kernel
def _loop_products(address: Any, rounds: Any) -> None:  # noqa: ANN401
    for _ in range(rounds):
        _products(address)


def run_polynomials() -> None:
    """Compute `count()` powers by the polynomial."""
    _loop_polynomials(_address(), _ROUNDS)


def run_products() -> None:
    """Compute `count()` powers of products."""
    _loop_products(_address(), _ROUNDS)


def count() -> int:
    """Return how many powers a run computes."""
    return _ROUNDS * _VECTORS * emit.LANES


def _address() -> int:
    """Return the first aligned address of the memory."""
    return -(-_memory.ctypes.data // emit.VECTOR_BYTES) * emit.VECTOR_BYTES
