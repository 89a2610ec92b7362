"""LLVM instructions on vectors of 16 float32 numbers.

LLVM cuts ``<16 x float>`` into what the CPU has (AVX-512, AVX2, SSE, NEON). Memory is addressed by
plain integers, in bytes, and need not be aligned. Functions that take a list of vectors work on
them side by side, so that their chains of dependent instructions overlap.

Products that are added use `llvm.fmuladd`: one instruction where the CPU has one, two elsewhere.
`llvm.fma` would call the C library for each lane on a CPU without it.
"""

import functools
import platform
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.registry import cpu_target

IS_X86 = platform.machine().lower() in {"x86_64", "amd64"}
LANES = 16
VECTOR_BYTES = 4 * LANES

FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
_INTEGERS = ir.VectorType(INT32, LANES)

LN2 = 0.6931471805599453
LOG2_E = 1.4426950408889634
_ROUNDER = 12582912.0  # 1.5 * 2**23: adding it leaves the nearest integer in the low bits
_SMALLEST_EXPONENT = -126.0

# 2**f = 1 + f * q(f) on [-0.5, 0.5], minimax with relative error 9e-8. The constant term is exactly
# one, so that a decay near one has an error near zero and long memories do not drift.
_EXP2 = (
    1.0,
    0.6931470036506653,
    0.24022242426872253,
    0.05550733581185341,
    0.009671512991189957,
    0.001326472731307149,
)
# The same on [-1/32, 1/32], with relative error 2e-9: what is left then is rounding.
_EXP2_NEAR_ONE = (0.6931471824645996, 0.24023428559303284, 0.05550595000386238)
# log(1 + e) = e * p(e) on [0, 1], minimax with relative error 3e-8.
_LOG1P = (
    0.9999999403953552,
    -0.4999949336051941,
    0.3331909775733948,
    -0.24842973053455353,
    0.19105947017669678,
    -0.13663093745708466,
    0.07822404056787491,
    -0.02950402721762657,
    0.005232388153672218,
)


def constant(value: float) -> Any:
    """Return a vector of one constant."""
    return ir.Constant(VECTOR, [float(value)] * LANES)


def pointer(builder: Any, address: Any, to: Any = VECTOR) -> Any:
    """Turn an address into a pointer."""
    return builder.inttoptr(address, ir.PointerType(to))


def load(builder: Any, address: Any, index: int = 0) -> Any:
    """Load vector number `index`."""
    return builder.load(pointer(builder, _offset(builder, address, index * VECTOR_BYTES)), align=4)


def store(builder: Any, address: Any, value: Any, *, index: int = 0) -> None:
    """Store vector number `index`."""
    place = pointer(builder, _offset(builder, address, index * VECTOR_BYTES))
    builder.store(value, place, align=4)


def prefetch(builder: Any, address: Any) -> None:
    """Ask for the cache line of an address."""
    options = [INT32(0), INT32(3), INT32(1)]  # read, keep, data
    place = pointer(builder, address, ir.IntType(8))
    call(builder, "llvm.prefetch.p0", ir.VoidType(), [place, *options])


def broadcast(builder: Any, address: Any, index: int = 0) -> Any:
    """Load float number `index` and copy it to all lanes."""
    place = pointer(builder, _offset(builder, address, index * 4), FLOAT)
    scalar = builder.load(place, align=4)
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, INT32(0))
    return builder.shuffle_vector(single, single, ir.Constant(_INTEGERS, [0] * LANES))


def gather(builder: Any, address: Any, stride: Any) -> Any:
    """Load 16 floats that lie `stride` bytes apart."""
    vector = ir.Constant(VECTOR, ir.Undefined)
    for lane in range(LANES):
        offset = builder.mul(stride, INT64(lane))
        number = builder.load(pointer(builder, builder.add(address, offset), FLOAT), align=4)
        vector = builder.insert_element(vector, number, INT32(lane))
    return vector


def call(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Call an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments)


def fma(builder: Any, left: Any, right: Any, addend: Any) -> Any:
    """Return left * right + addend."""
    return call(builder, "llvm.fmuladd.v16f32", VECTOR, [left, right, addend])


def at_least(builder: Any, limit: float, value: Any) -> Any:
    """Return the larger of a constant and a value; NaN stays NaN."""
    floor = constant(limit)
    return builder.select(builder.fcmp_ordered(">", floor, value), floor, value)


def exp2_of_products(builder: Any, lefts: Sequence[Any], rights: Sequence[Any]) -> list[Any]:
    """Return 2**(left * right) of each pair; products from -126 (or lower) to 127.

    AVX-512 looks up 2**(i / 16) in a register, which leaves so short a series that a power takes 9
    instructions instead of 12. Below -126 it gives 0 where others give 2**-126.
    """
    if not _has_avx512():
        return exp2(builder, [builder.fmul(*pair) for pair in zip(lefts, rights, strict=True)])
    pairs = list(zip(lefts, rights, strict=True))
    rounder = constant(_ROUNDER / LANES)
    shifted = [fma(builder, *pair, rounder) for pair in pairs]
    near = [builder.fsub(value, rounder) for value in shifted]  # in steps of 1 / 16
    rest = [fma(builder, *p, builder.fneg(n)) for p, n in zip(pairs, near, strict=True)]
    # The lookup takes the low four bits of the shifted value, which count the sixteenths.
    table = ir.Constant(VECTOR, [ir.Constant(FLOAT, 2 ** (i / LANES)) for i in range(LANES)])
    counts = [builder.bitcast(value, _INTEGERS) for value in shifted]
    name = "llvm.x86.avx512.permvar.sf.512"
    powers = [call(builder, name, VECTOR, [table, count]) for count in counts]
    series = [constant(_EXP2_NEAR_ONE[-1])] * len(rest)
    for coefficient in _EXP2_NEAR_ONE[-2::-1]:
        term = constant(coefficient)
        series = [fma(builder, left, f, term) for left, f in zip(series, rest, strict=True)]
    gains = [builder.fmul(*pair) for pair in zip(powers, rest, strict=True)]
    results = [fma(builder, *three) for three in zip(gains, series, powers, strict=True)]
    return [_times_power(builder, *pair) for pair in zip(results, near, strict=True)]


def _times_power(builder: Any, value: Any, exponent: Any) -> Any:
    """Return value * 2**floor(exponent) by AVX-512."""
    options = [constant(0.0), ir.Constant(ir.IntType(16), -1), INT32(4)]  # all lanes, own rounding
    name = "llvm.x86.avx512.mask.scalef.ps.512"
    return call(builder, name, VECTOR, [value, exponent, *options])


@functools.cache
def _has_avx512() -> bool:
    """Say whether Numba compiles for a CPU with AVX-512; its cache, too, tells CPUs apart by it."""
    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return "+avx512f" in features.split(",")


def exp2(builder: Any, exponents: Sequence[Any]) -> list[Any]:
    """Return 2 to the power of each vector, for exponents from -126 (clamped) to 127."""
    rounder = constant(_ROUNDER)
    clamped = [at_least(builder, _SMALLEST_EXPONENT, value) for value in exponents]
    shifted = [builder.fadd(value, rounder) for value in clamped]
    whole = [builder.fsub(value, rounder) for value in shifted]
    fraction = [builder.fsub(left, right) for left, right in zip(clamped, whole, strict=True)]
    power = [constant(_EXP2[-1])] * len(fraction)
    for coefficient in _EXP2[-2::-1]:
        term = constant(coefficient)
        power = [fma(builder, left, f, term) for left, f in zip(power, fraction, strict=True)]
    # The integer part lies in the low bits of the shifted value; it moves to the exponent bits.
    distance = ir.Constant(_INTEGERS, [23] * LANES)
    steps = [builder.shl(builder.bitcast(value, _INTEGERS), distance) for value in shifted]
    bits = [builder.bitcast(value, _INTEGERS) for value in power]
    sums = [builder.add(left, right) for left, right in zip(bits, steps, strict=True)]
    return [builder.bitcast(value, VECTOR) for value in sums]


def softplus_and_slope(builder: Any, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return log(1 + exp(value)) and its slope 1 / (1 + exp(-value)) of each vector.

    With e = exp(-|value|) and l = log(1 + e): the softplus is l + max(value, 0), without overflow,
    and the slope is exp(-l - max(-value, 0)), which keeps its relative precision where it is small
    and needs no division.
    """
    magnitudes = [call(builder, "llvm.fabs.v16f32", VECTOR, [value]) for value in values]
    to_base_2 = [constant(-LOG2_E)] * len(values)
    small = exp2_of_products(builder, magnitudes, to_base_2)
    series = [constant(_LOG1P[-1])] * len(small)
    for coefficient in _LOG1P[-2::-1]:
        term = constant(coefficient)
        series = [fma(builder, left, e, term) for left, e in zip(series, small, strict=True)]
    logs = [builder.fmul(left, e) for left, e in zip(series, small, strict=True)]
    above = [at_least(builder, 0.0, value) for value in values]
    below = [builder.fsub(*pair) for pair in zip(above, values, strict=True)]
    softplus = [builder.fadd(*pair) for pair in zip(logs, above, strict=True)]
    decays = [builder.fadd(*pair) for pair in zip(logs, below, strict=True)]
    slopes = exp2_of_products(builder, decays, to_base_2)
    return softplus, slopes


def sum_lanes(builder: Any, values: Sequence[Any]) -> Any:
    """Return the vector of the lane sums of 16 vectors.

    A tree of pairs: each level halves the number of vectors and the lanes that are left to add.
    """
    vectors, width = list(values), LANES // 2
    while width:
        lower = [lane for lane in range(LANES) if not lane & width]
        pairs = zip(vectors[: len(vectors) // 2], vectors[len(vectors) // 2 :], strict=True)
        vectors = [_add_halves(builder, pair, lower, width) for pair in pairs]
        width //= 2
    return vectors[0]


def _add_halves(builder: Any, pair: tuple[Any, Any], lower: list[int], width: int) -> Any:
    """Add the two halves of each vector; the sums of the first go to the lower lanes."""
    first, second = [0] * LANES, [0] * LANES
    for lane in lower:
        first[lane], first[lane + width] = lane, LANES + lane
        second[lane], second[lane + width] = lane + width, LANES + lane + width
    masks = [ir.Constant(_INTEGERS, mask) for mask in (first, second)]
    return builder.fadd(*(builder.shuffle_vector(*pair, mask) for mask in masks))


def _offset(builder: Any, address: Any, size: int) -> Any:
    """Return the address `size` bytes further on."""
    return builder.add(address, INT64(size)) if size else address
