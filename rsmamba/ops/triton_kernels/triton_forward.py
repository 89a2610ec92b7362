"""The two large kernels of the forward; between them runs the carry.

`tile_ends_kernel` runs each tile from a zero state and stores the state it ends with;
`outputs_kernel` runs it again from its true state and writes the outputs. One program is one tile
of one block of channels of one sequence. The loop over states is outside that over tokens, so that
registers do not depend on N.
"""

import triton
import triton.language as tl

from rsmamba.ops.triton_kernels.triton_tokens import (
    load_pixels,
    load_rows,
    load_step_sizes,
    load_terms,
    products,
    total,
)


@triton.jit(do_not_specialize=["L", "K", "num_tiles"])
def tile_ends_kernel(
    x, steps, B, order, weight, bias, A2, ends, sums,
    L, D, K, num_tiles,
    N: tl.constexpr, RANK: tl.constexpr, ROW: tl.constexpr, ORDERED: tl.constexpr,
    SOFTPLUS: tl.constexpr, T: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Store the state after each tile, run from zero, and the sum of its step sizes."""
    blocks = tl.cdiv(D, BLOCK)
    tile = (tl.program_id(0) // blocks).to(tl.int64)
    d = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    sequence = tl.program_id(1).to(tl.int64)
    k = sequence % K
    # On a map all paths read the same pixels.
    pixels_of = (sequence // K if ORDERED else sequence) * L * D
    first = (tl.program_id(0) // blocks) * T
    rows = (sequence * L + first) * ROW
    pixels = load_pixels(order + k * L, first, L, ORDERED, T)
    inputs = load_rows(x + pixels_of, pixels, first, L, d, D, T)
    sizes = load_step_sizes(
        steps, weight, bias, sequence, k, first, L, d, D, RANK, ROW, SOFTPLUS, T
    )
    inputs = products(sizes, inputs, T)
    at = sequence * num_tiles + tile
    tl.store(sums + at * D + d, total(sizes, T), mask=d < D)
    for n in range(N):
        a2 = tl.load(A2 + (k * N + n) * D + d, mask=d < D, other=0.0)
        terms = load_terms(B + rows + n, first, L, ROW, T)
        h = inputs[0] * terms[0]
        for i in tl.static_range(1, T):
            h = tl.exp2(sizes[i] * a2) * h + inputs[i] * terms[i]
        tl.store(ends + (at * N + n) * D + d, h, mask=d < D)


@triton.jit(do_not_specialize=["L", "K", "num_tiles"])
def outputs_kernel(
    x, steps, B, C, order, weight, bias, skip, A2, ends, y,
    L, D, K, num_tiles,
    N: tl.constexpr, RANK: tl.constexpr, ROW: tl.constexpr, ORDERED: tl.constexpr,
    SOFTPLUS: tl.constexpr, T: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write the outputs of each sequence at its pixels, (batch, K, L, D)."""
    blocks = tl.cdiv(D, BLOCK)
    tile = (tl.program_id(0) // blocks).to(tl.int64)
    d = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    sequence = tl.program_id(1).to(tl.int64)
    k = sequence % K
    # On a map all paths read the same pixels.
    pixels_of = (sequence // K if ORDERED else sequence) * L * D
    first = (tl.program_id(0) // blocks) * T
    rows = (sequence * L + first) * ROW
    pixels = load_pixels(order + k * L, first, L, ORDERED, T)
    inputs = load_rows(x + pixels_of, pixels, first, L, d, D, T)
    sizes = load_step_sizes(
        steps, weight, bias, sequence, k, first, L, d, D, RANK, ROW, SOFTPLUS, T
    )
    skipped = tl.load(skip + k * D + d, mask=d < D, other=0.0)
    outputs = ()
    for i in tl.static_range(T):
        outputs = outputs + (skipped * inputs[i],)
    inputs = products(sizes, inputs, T)
    before = sequence * num_tiles + tile - 1
    has_before = d < tl.where(tile > 0, D, 0)
    for n in range(N):
        a2 = tl.load(A2 + (k * N + n) * D + d, mask=d < D, other=0.0)
        h = tl.load(ends + (before * N + n) * D + d, mask=has_before, other=0.0)
        terms = load_terms(B + rows + n, first, L, ROW, T)
        readers = load_terms(C + rows + n, first, L, ROW, T)
        more = ()
        for i in tl.static_range(T):
            h = tl.exp2(sizes[i] * a2) * h + inputs[i] * terms[i]
            more = more + (outputs[i] + h * readers[i],)
        outputs = more
    for i in tl.static_range(T):
        row = y + (sequence * L + pixels[i]) * D + d
        tl.store(row, outputs[i], mask=d < tl.where(first + i < L, D, 0))
