"""What the kernels do with the tokens of one tile before the states come in.

The tokens of a tile are tuples of blocks of channels, unrolled: nothing is indexed at run time, so
that everything stays in registers, and a tile can be walked in both directions. Masked channels
and tokens past the end read as zero; with a step size of zero they leave the state as it is.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def softplus(z):
    """Return log(1 + exp(z)), to rounding also where it is small."""
    e = tl.exp2(-tl.abs(z) * LOG2_E)
    # log(1 + e) = 2 artanh(s) with s = e / (2 + e) <= 1/3: its series, cut where float32 ends.
    s = e / (2.0 + e)
    q = s * s
    series = 1.0 + q * (
        1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13)))))
    )
    return tl.maximum(z, 0.0) + 2.0 * s * series


@triton.jit
def softplus_slope(step):
    """Return the slope of the softplus where its value is `step`: 1 - exp(-step)."""
    series = step * (1.0 - step * (1 / 2 - step * (1 / 6 - step * (1 / 24 - step * (1 / 120)))))
    return tl.where(step < 0.125, series, 1.0 - tl.exp2(-step * LOG2_E))


@triton.jit
def num_valid(t, L, D):
    """Return how many channels of token t are there: all, or none past the end."""
    return tl.where(t < L, D, 0)


@triton.jit
def load_pixels(order, first, L, ORDERED: tl.constexpr, T: tl.constexpr):
    """Return the pixel of each token of the tile."""
    pixels = ()
    for i in tl.static_range(T):
        if ORDERED:
            pixels = pixels + (tl.load(order + first + i, mask=first + i < L, other=0),)
        else:
            pixels = pixels + (first + i,)
    return pixels


@triton.jit
def load_rows(rows, pixels, first, L, d, D, T: tl.constexpr):
    """Return the channels of each token of the tile, at its pixel, in float32."""
    values = ()
    for i in tl.static_range(T):
        at = rows + tl.cast(pixels[i], tl.int64) * D + d
        value = tl.load(at, mask=d < num_valid(first + i, L, D), other=0.0)
        values = values + (value.to(tl.float32),)
    return values


@triton.jit
def load_terms(terms, first, L, ROW: tl.constexpr, T: tl.constexpr):
    """Return one number that all channels share for each token, ROW apart, in float32."""
    values = ()
    for i in tl.static_range(T):
        value = tl.load(terms + i * ROW, mask=first + i < L, other=0.0)
        values = values + (value.to(tl.float32),)
    return values


@triton.jit
def load_step_sizes(
    steps, weight, bias, sequence, k, first, L, d, D,
    RANK: tl.constexpr, ROW: tl.constexpr, SOFTPLUS: tl.constexpr, T: tl.constexpr,
):  # fmt: skip
    """Return the step size of each token: given, or from its RANK factors."""
    offset = tl.load(bias + k * D + d, mask=d < D, other=0.0)
    sums = ()
    if RANK == 0:
        tokens = load_pixels(steps, first, L, False, T)
        given = load_rows(steps + sequence * L * D, tokens, first, L, d, D, T)
        for i in tl.static_range(T):
            sums = sums + (given[i] + offset,)
    else:
        for _ in tl.static_range(T):
            sums = sums + (offset,)
        for r in range(RANK):
            w = tl.load(weight + (k * RANK + r) * D + d, mask=d < D, other=0.0)
            factors = load_terms(steps + (sequence * L + first) * ROW + r, first, L, ROW, T)
            more = ()
            for i in tl.static_range(T):
                more = more + (sums[i] + factors[i] * w,)
            sums = more
    sizes = ()
    for i in tl.static_range(T):
        size = softplus(sums[i]) if SOFTPLUS else sums[i]
        sizes = sizes + (tl.where(d < num_valid(first + i, L, D), size, 0.0),)
    return sizes


@triton.jit
def products(left, right, T: tl.constexpr):
    """Return left times right for each token."""
    values = ()
    for i in tl.static_range(T):
        values = values + (left[i] * right[i],)
    return values


@triton.jit
def total(values, T: tl.constexpr):
    """Return the sum over the tokens."""
    result = values[0]
    for i in tl.static_range(1, T):
        result += values[i]
    return result
