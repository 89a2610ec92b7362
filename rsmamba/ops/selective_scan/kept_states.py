"""Shapes of what each backend keeps for its backward, known without loading the backend."""

from collections.abc import Callable, Sequence

from rsmamba.ops.selective_scan.chunked import num_chunks
from rsmamba.ops.triton_kernels import plan as triton_plan

EXTENSION_CHUNK = 2048
"""Tokens for which mamba-ssm's extension keeps one pair of numbers for each state."""


def _numba(sizes: Sequence[int], states: int, *, keep: bool) -> tuple[int, ...]:
    """State before each chunk in blocks of 16 channels."""
    batch, paths, length, channels = sizes
    return batch, paths, num_chunks(length) if keep else 0, -(-channels // 16), states, 16


def _torch(sizes: Sequence[int], states: int, *, keep: bool) -> tuple[int, ...]:
    """State before each chunk."""
    batch, paths, length, channels = sizes
    return num_chunks(length) if keep else 0, batch, paths, channels, states


def _triton(sizes: Sequence[int], states: int, *, keep: bool) -> tuple[int, ...]:
    """State before each chunk but the first."""
    batch, paths, length, channels = sizes
    return triton_plan.kept_shape(batch, length, (paths, channels, states), keep=keep)


def _mamba_ssm(sizes: Sequence[int], states: int, *, keep: bool) -> tuple[int, ...]:
    """Decay and state after each of its chunks, whether or not a backward follows."""
    del keep
    batch, paths, length, channels = sizes
    return batch, paths * channels, -(-length // EXTENSION_CHUNK), 2 * states


SHAPES: dict[str, Callable[..., tuple[int, ...]]] = {
    "numba": _numba,
    "torch": _torch,
    "triton": _triton,
    "mamba_ssm": _mamba_ssm,
}
"""Shape for sizes (batch, K, L, D) and N states, by backend."""
