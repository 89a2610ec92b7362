"""Joining the tiles of a scan: each tile ran from a zero state, here it gets what came before.

The state passes over a tile as h -> exp(A sum(dt)) h + end, with `end` what the tile makes of a
zero state, so that a prefix scan over tiles gives the true state after each.
"""

import triton
import triton.language as tl


@triton.jit
def _then(decay, end, later_decay, later_end):
    """Pass over one run of tiles and then over a later one."""
    return decay * later_decay, end * later_decay + later_end


@triton.jit(do_not_specialize=["num_tiles", "K"])
def carry_kernel(
    ends, sums, A2, num_tiles, D, K,
    N: tl.constexpr, REVERSE: tl.constexpr, TILES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Turn the ends of all tiles, (batch * K, tiles, N, D), into true states, in place."""
    blocks = tl.cdiv(D, BLOCK)
    n = tl.program_id(0) // blocks
    sequence = tl.program_id(1).to(tl.int64)
    channel = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    a2 = tl.load(A2 + ((sequence % K) * N + n) * D + channel, mask=channel < D, other=0.0)
    row = tl.arange(0, TILES)[:, None]
    d = channel[None, :]
    state = tl.zeros([BLOCK], tl.float32)
    for start in range(0, num_tiles, TILES):
        position = start + row
        tile = (num_tiles - 1 - position) if REVERSE else position
        inside = (position < num_tiles) & (d < D)
        at = sequence * num_tiles + tile
        size = tl.load(sums + at * D + d, mask=inside, other=0.0)
        end = tl.load(ends + (at * N + n) * D + d, mask=inside, other=0.0)
        decay = tl.exp2(size * a2[None, :])
        end = tl.where(row == 0, end + decay * state[None, :], end)
        _, end = tl.associative_scan((decay, end), 0, _then)
        tl.store(ends + (at * N + n) * D + d, end, mask=inside)
        # Past the last tile the decay is 1 and the end 0: the last row holds the last state.
        state = tl.sum(tl.where(row == TILES - 1, end, 0.0), axis=0)
