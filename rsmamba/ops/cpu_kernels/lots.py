"""One block of 16 channels of several tokens at once: a group with a vector for each token.

The rows of the tokens are given by a table of addresses in memory, one int64 for each token, and a
shift in bytes that is added to each. `lot` is a tuple as long as the number of tokens.
"""

from typing import Any

from llvmlite import ir
from numba import types

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction
from rsmamba.ops.cpu_kernels.groups import GroupType, pack, unpack
from rsmamba.ops.cpu_kernels.vectors import address_type, vector


@instruction
def load_rows(typing_context: Any, table: Any, shift: Any, lot: Any) -> Any:
    """Load the vector of each token."""
    kind = GroupType(len(lot))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = row_addresses(builder, args[0], args[1], count=kind.width)
        return pack(builder, [emit.load(builder, place) for place in places])

    return kind(address_type, address_type, lot), code


@instruction
def load_group(typing_context: Any, address: Any, lot: Any) -> Any:
    """Load vectors that follow each other, as many as the tuple is long."""
    kind = GroupType(len(lot))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return pack(builder, [emit.load(builder, args[0], index) for index in range(kind.width)])

    return kind(address_type, lot), code


@instruction
def store_group(typing_context: Any, address: Any, values: Any) -> Any:
    """Store vectors one behind the other."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for index, value in enumerate(unpack(builder, args[1], values.width)):
            emit.store(builder, args[0], value, index=index)
        return context.get_dummy_value()

    return types.void(address_type, values), code


@instruction
def add_rows(typing_context: Any, values: Any, table: Any, shift: Any) -> Any:
    """Return the values plus the vector of each token."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = row_addresses(builder, args[1], args[2], count=values.width)
        vectors = unpack(builder, args[0], values.width)
        sums = [
            builder.fadd(value, emit.load(builder, place))
            for value, place in zip(vectors, places, strict=True)
        ]
        return pack(builder, sums)

    return values(values, address_type, address_type), code


@instruction
def store_rows(typing_context: Any, table: Any, shift: Any, values: Any) -> Any:
    """Store the vector of each token."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = row_addresses(builder, args[0], args[1], count=values.width)
        for place, value in zip(places, unpack(builder, args[2], values.width), strict=True):
            emit.store(builder, place, value)
        return context.get_dummy_value()

    return types.void(address_type, address_type, values), code


@instruction
def prefetch_rows(typing_context: Any, table: Any, shift: Any, lot: Any) -> Any:
    """Ask for the cache line of the vector of each token."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for place in row_addresses(builder, args[0], args[1], count=len(lot)):
            emit.prefetch(builder, place)
        return context.get_dummy_value()

    return types.void(address_type, address_type, lot), code


@instruction
def spread(typing_context: Any, value: Any, lot: Any) -> Any:
    """Return the same vector for each token."""
    kind = GroupType(len(lot))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return pack(builder, [args[0]] * kind.width)

    return kind(vector, lot), code


@instruction
def add_products(typing_context: Any, sums: Any, table: Any, shift: Any, weight: Any) -> Any:
    """Return the sums plus each token's number times a vector of weights."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = row_addresses(builder, args[1], args[2], count=sums.width)
        vectors = unpack(builder, args[0], sums.width)
        totals = [
            emit.fma(builder, emit.broadcast(builder, place), args[3], value)
            for value, place in zip(vectors, places, strict=True)
        ]
        return pack(builder, totals)

    return sums(sums, address_type, address_type, vector), code


@instruction
def add_weighted_rows(typing_context: Any, sums: Any, table: Any, shift: Any, weight: Any) -> Any:
    """Return the sums plus each token's vector times a vector of weights."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = row_addresses(builder, args[1], args[2], count=sums.width)
        vectors = unpack(builder, args[0], sums.width)
        totals = [
            emit.fma(builder, emit.load(builder, place), args[3], value)
            for value, place in zip(vectors, places, strict=True)
        ]
        return pack(builder, totals)

    return sums(sums, address_type, address_type, vector), code


@instruction
def softplus_of(typing_context: Any, values: Any) -> Any:
    """Return the softplus of each token's vector."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = unpack(builder, args[0], values.width)
        return pack(builder, emit.softplus_and_slope(builder, vectors)[0])

    return values(values), code


@instruction
def store_softplus_and_slope(typing_context: Any, steps: Any, slopes: Any, values: Any) -> Any:
    """Store the softplus of each token's vector and its slopes, token after token."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = unpack(builder, args[2], values.width)
        for place, results in zip(args[:2], emit.softplus_and_slope(builder, vectors), strict=True):
            for index, value in enumerate(results):
                emit.store(builder, place, value, index=index)
        return context.get_dummy_value()

    return types.void(address_type, address_type, values), code


@instruction
def multiply_groups(typing_context: Any, left: Any, right: Any) -> Any:
    """Return left * right."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(*(unpack(builder, part, left.width) for part in args), strict=True)
        return pack(builder, [builder.fmul(*pair) for pair in pairs])

    return left(left, left), code


@instruction
def addresses_of(typing_context: Any, table: Any, lot: Any) -> Any:
    """Return the addresses of a table as a tuple, to be kept in registers."""
    kind = types.UniTuple(address_type, len(lot))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = row_addresses(builder, args[0], emit.INT64(0), count=len(lot))
        return context.make_tuple(builder, kind, places)

    return kind(address_type, lot), code


@instruction
def advance_single(
    typing_context: Any, state: Any, A2: Any, skip: Any, steps: Any, x: Any, rows: Any
) -> Any:
    """Pass tokens through one state: update it in memory and return the outputs.

    Args:
        typing_context: Numba's.
        state: Address of the state.
        A2: Its vector A2.
        skip: Vector of skip terms.
        steps: Step sizes of the tokens.
        x: Inputs of the tokens.
        rows: Tables of the tokens' B and of their C.

    Returns:
        The signature, and what emits the code.
    """
    width = steps.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        state, rate, skip = args[:3]
        steps, inputs = (unpack(builder, part, width) for part in args[3:5])
        tables = [builder.extract_value(args[5], index) for index in range(2)]
        B, C = (row_addresses(builder, table, emit.INT64(0), count=width) for table in tables)
        decays = emit.exp2_of_products(builder, steps, [rate] * width)
        scaled = [builder.fmul(*pair) for pair in zip(steps, inputs, strict=True)]
        gains = [
            builder.fmul(v, emit.broadcast(builder, b)) for v, b in zip(scaled, B, strict=True)
        ]
        last, outputs = emit.load(builder, state), []
        for decay, gain, value, c in zip(decays, gains, inputs, C, strict=True):
            last = emit.fma(builder, decay, last, gain)
            direct = builder.fmul(skip, value)
            outputs.append(emit.fma(builder, last, emit.broadcast(builder, c), direct))
        emit.store(builder, state, last)
        return pack(builder, outputs)

    pair = types.UniTuple(address_type, 2)
    return steps(address_type, vector, vector, steps, x, pair), code


def row_addresses(builder: Any, table: Any, shift: Any, *, count: int) -> list[Any]:
    """Return the shifted address of each token."""
    entries = emit.pointer(builder, table, emit.INT64)
    slots = [builder.gep(entries, [ir.Constant(emit.INT64, index)]) for index in range(count)]
    return [builder.add(builder.load(slot), shift) for slot in slots]
