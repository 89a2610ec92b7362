"""How fast one thread computes the exponential that the scan kernels use, data in the L1 cache."""

from typing import Any

import numpy as np
from numba import types

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction, kernel
from rsmamba.ops.cpu_kernels.vectors import address_type

_VECTORS = 8
_ROUNDS = 200_000
_memory = np.full(2 * _VECTORS * emit.LANES, -0.1, np.float32)


@instruction
def _exponentials(typing_context: Any, address: Any) -> Any:  # noqa: ANN401, ARG001
    """Replace 8 vectors by 2 to their power."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401, ARG001
        loaded = [emit.load(builder, args[0], index) for index in range(_VECTORS)]
        for index, value in enumerate(emit.exp2(builder, loaded)):
            emit.store(builder, args[0], value, index=index)
        return context.get_dummy_value()

    return types.void(address_type), code


@kernel
def _loop(address: Any, rounds: Any) -> None:  # noqa: ANN401
    for _ in range(rounds):
        _exponentials(address)


def run() -> None:
    """Compute `count()` exponentials."""
    _loop(-(-_memory.ctypes.data // emit.VECTOR_BYTES) * emit.VECTOR_BYTES, _ROUNDS)


def count() -> int:
    """Return how many exponentials `run` computes."""
    return _ROUNDS * _VECTORS * emit.LANES
