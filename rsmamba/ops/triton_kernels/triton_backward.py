"""The two large kernels of the backward; between them runs the carry, from the last tile back.

`tile_states_kernel` finds the state before every tile from the one kept before each chunk, and what
each tile alone sends back to the state before it. `gradients_kernel` then runs every tile forward
from its true state and back from the true gradient. What channels share is summed over the
channels of a program and stored once for each block of channels: no atomics, so that results are
the same in every run.
"""

import triton
import triton.language as tl

from rsmamba.ops.triton_kernels.triton_tokens import (
    LN_2,
    load_pixels,
    load_rows,
    load_step_sizes,
    load_terms,
    num_valid,
    products,
    softplus_slope,
    total,
)


@triton.jit(do_not_specialize=["L", "K", "num_tiles", "num_kept"])
def tile_states_kernel(
    x, steps, B, C, dy, order, weight, bias, A2, kept, starts, sent, sums,
    L, D, K, num_tiles, num_kept,
    N: tl.constexpr, RANK: tl.constexpr, ROW: tl.constexpr, ORDERED: tl.constexpr,
    SOFTPLUS: tl.constexpr, TILES: tl.constexpr, T: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Store the state before each tile and what the tile, alone, sends back to it."""
    blocks = tl.cdiv(D, BLOCK)
    chunk = (tl.program_id(0) // blocks).to(tl.int64)
    d = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    sequence = tl.program_id(1).to(tl.int64)
    k = sequence % K
    # On a map all paths read the same pixels.
    pixels_of = (sequence // K if ORDERED else sequence) * L * D
    for part in range(TILES):
        first = ((tl.program_id(0) // blocks) * TILES + part) * T
        rows = (sequence * L + first) * ROW
        pixels = load_pixels(order + k * L, first, L, ORDERED, T)
        inputs = load_rows(x + pixels_of, pixels, first, L, d, D, T)
        dys = load_rows(dy + pixels_of, pixels, first, L, d, D, T)
        sizes = load_step_sizes(
            steps, weight, bias, sequence, k, first, L, d, D, RANK, ROW, SOFTPLUS, T
        )
        inputs = products(sizes, inputs, T)
        tile = chunk * TILES + part
        at = sequence * num_tiles + tile
        there = d < tl.where(tile < num_tiles, D, 0)
        tl.store(sums + at * D + d, total(sizes, T), mask=there)
        # The first tile of a chunk starts from the kept state, the others from what the tile before
        # stored: each lane reads its own numbers again.
        from_kept = d < tl.where((part == 0) & (chunk > 0), D, 0)
        from_tile = d < tl.where((part > 0) & (tile < num_tiles), D, 0)
        for n in range(N):
            a2 = tl.load(A2 + (k * N + n) * D + d, mask=d < D, other=0.0)
            start = starts + (at * N + n) * D + d
            kept_at = kept + ((sequence * num_kept + chunk - 1) * N + n) * D + d
            h = tl.load(kept_at, mask=from_kept, other=0.0)
            h += tl.load(start, mask=from_tile, other=0.0)
            tl.store(start, h, mask=there)
            terms = load_terms(B + rows + n, first, L, ROW, T)
            readers = load_terms(C + rows + n, first, L, ROW, T)
            decays = ()
            for i in tl.static_range(T):
                decay = tl.exp2(sizes[i] * a2)
                h = decay * h + inputs[i] * terms[i]
                decays = decays + (decay,)
            follows = (part + 1 < TILES) & (tile + 1 < num_tiles)
            tl.store(start + N * D, h, mask=d < tl.where(follows, D, 0))
            g = decays[T - 1] * (dys[T - 1] * readers[T - 1])
            for i in tl.static_range(T - 2, -1, -1):
                g = decays[i] * (g + dys[i] * readers[i])
            tl.store(sent + (at * N + n) * D + d, g, mask=there)


@triton.jit(do_not_specialize=["L", "K", "num_tiles", "num_sequences", "stride"])
def gradients_kernel(
    x, steps, B, C, dy, order, weight, bias, skip, A2, starts, sent,
    dx, dsteps, dB, dC, dbias, dskip,
    L, D, K, num_tiles, num_sequences, stride,
    N: tl.constexpr, RANK: tl.constexpr, ROW: tl.constexpr, ORDERED: tl.constexpr,
    SOFTPLUS: tl.constexpr, T: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write all gradients; that of A, in base 2, replaces the state before each tile."""
    blocks = tl.cdiv(D, BLOCK)
    block = tl.program_id(0) % blocks
    tile = (tl.program_id(0) // blocks).to(tl.int64)
    d = block * BLOCK + tl.arange(0, BLOCK)
    sequence = tl.program_id(1).to(tl.int64)
    k = sequence % K
    # On a map all paths read the same pixels.
    pixels_of = (sequence // K if ORDERED else sequence) * L * D
    first = (tl.program_id(0) // blocks) * T
    rows = (sequence * L + first) * ROW
    pixels = load_pixels(order + k * L, first, L, ORDERED, T)
    inputs = load_rows(x + pixels_of, pixels, first, L, d, D, T)
    dys = load_rows(dy + pixels_of, pixels, first, L, d, D, T)
    sizes = load_step_sizes(
        steps, weight, bias, sequence, k, first, L, d, D, RANK, ROW, SOFTPLUS, T
    )
    inputs = products(sizes, inputs, T)
    at = sequence * num_tiles + tile
    has_after = d < tl.where(tile + 1 < num_tiles, D, 0)
    partial = ((block * num_sequences + sequence) * L + first) * N
    of_input, of_exponent = (), ()
    for _ in tl.static_range(T):
        of_input = of_input + (tl.zeros([BLOCK], tl.float32),)
        of_exponent = of_exponent + (tl.zeros([BLOCK], tl.float32),)
    for n in range(N):
        a2 = tl.load(A2 + (k * N + n) * D + d, mask=d < D, other=0.0)
        start = starts + (at * N + n) * D + d
        h = tl.load(start, mask=d < D, other=0.0)
        g = tl.load(sent + ((at + 1) * N + n) * D + d, mask=has_after, other=0.0)
        terms = load_terms(B + rows + n, first, L, ROW, T)
        states, decays = (h,), ()
        for i in tl.static_range(T):
            decay = tl.exp2(sizes[i] * a2)
            h = decay * h + inputs[i] * terms[i]
            states, decays = states + (h,), decays + (decay,)
            of_reader = tl.sum(dys[i] * h, axis=0)
            tl.store(dC + partial + i * N + n, of_reader, mask=first + i < L)
        # Read only now, and again: registers are scarcer here than loads.
        terms = load_terms(B + rows + n, first, L, ROW, T)
        readers = load_terms(C + rows + n, first, L, ROW, T)
        of_rate = tl.zeros([BLOCK], tl.float32)
        more_input, more_exponent = (), ()
        for i in tl.static_range(T - 1, -1, -1):
            g += dys[i] * readers[i]
            of_term = tl.sum(g * inputs[i], axis=0)
            tl.store(dB + partial + i * N + n, of_term, mask=first + i < L)
            more_input = (of_input[i] + g * terms[i],) + more_input
            g *= decays[i]
            through = g * states[i]
            more_exponent = (of_exponent[i] + through * a2,) + more_exponent
            of_rate += through * sizes[i]
        of_input, of_exponent = more_input, more_exponent
        tl.store(start, of_rate, mask=d < D)
    skipped = tl.load(skip + k * D + d, mask=d < D, other=0.0)
    of_bias, of_skip = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    # `stride` is D as well, unknown to the compiler: it computes addresses anew here rather than
    # hold those of all tokens in registers throughout the loop.
    pixels = load_pixels(order + k * L, first, L, ORDERED, T)
    rows_of = (sequence // K if ORDERED else sequence) * L * stride
    inputs = load_rows(x + rows_of, pixels, first, L, d, stride, T)
    for i in tl.static_range(T):
        of_step = of_exponent[i] * LN_2 + of_input[i] * inputs[i]
        if SOFTPLUS:
            of_step *= softplus_slope(sizes[i])
        valid = d < num_valid(first + i, L, stride)
        token = (sequence * L + first + i) * stride + d
        tl.store(dsteps + token, of_step, mask=valid)
        pixel = (sequence * L + pixels[i]) * stride + d
        tl.store(dx + pixel, of_input[i] * sizes[i] + skipped * dys[i], mask=valid)
        of_bias += of_step
        of_skip += dys[i] * inputs[i]
    tl.store(dbias + at * D + d, of_bias, mask=d < D)
    tl.store(dskip + at * D + d, of_skip, mask=d < D)
