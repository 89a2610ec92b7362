"""How the GPU kernels cut a scan: tiles, chunks and what is kept for the backward.

A tile is a run of tokens that one program takes, token by token, with the values of all its tokens
in registers; tiles run in parallel and their states are joined by a carry. A chunk is a run of
tiles; one state for each chunk is what a forward leaves to its backward. Imports no Triton, so
that shapes can be told where there is none.
"""

from dataclasses import dataclass

CHUNK = 48
"""Tokens of a chunk; the state is kept once for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """The share of one program.

    Attributes:
        tokens: Tokens of a tile, a divisor of the chunk.
        channels: Channels of a program, a power of 2; one warp runs each program, so that every
            lane has channels / 32 of them and sums over channels need no shared memory.
        chunk: Tokens of a chunk.
    """

    tokens: int
    channels: int
    chunk: int = CHUNK

    def num_tiles(self, length: int) -> int:
        """Return the number of tiles of a sequence of `length` tokens."""
        return -(-length // self.tokens)

    def num_blocks(self, channels: int) -> int:
        """Return the number of programs that share the channels."""
        return -(-channels // self.channels)

    @property
    def tiles_per_chunk(self) -> int:
        """Tiles of a chunk."""
        return self.chunk // self.tokens


# Two channels in each lane halve the loads of what channels share; the backward holds twice as much
# for each channel and has registers for one, and for 12 tokens: with 16 it spills.
FORWARD = Tiling(tokens=16, channels=64)
BACKWARD = Tiling(tokens=12, channels=32)

CARRY_TILES = 256
"""Most tiles that one step of the carry joins."""

CARRY_CHANNELS = 16
"""Channels of a program of the carry."""


def num_kept(length: int, *, chunk: int = CHUNK) -> int:
    """Return how many states a forward keeps: one for each chunk but the first, which starts at 0.

    Args:
        length: Tokens L of a sequence.
        chunk: Tokens of a chunk.

    Returns:
        Number of kept states of each channel.

    Example:
        >>> [num_kept(length) for length in (1, 48, 49)]
        [0, 0, 1]
    """
    return (length - 1) // chunk


def kept_shape(
    batch: int, length: int, parameter_shape: tuple[int, ...], *, keep: bool, chunk: int = CHUNK
) -> tuple[int, ...]:
    """Return the shape of the states that a forward keeps.

    Args:
        batch: Batch size.
        length: Tokens L of a sequence.
        parameter_shape: Shape of A, (K, D, N).
        keep: Whether a backward follows.
        chunk: Tokens of a chunk.

    Returns:
        (batch, K, chunks - 1, N, D), with no chunk if `keep` is false.
    """
    paths, channels, states = parameter_shape
    return batch, paths, num_kept(length, chunk=chunk) if keep else 0, states, channels
