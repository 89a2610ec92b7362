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
        places = _places(builder, args[0], args[1], count=kind.width)
        return pack(builder, [emit.load(builder, place) for place in places])

    return kind(address_type, address_type, lot), code


@instruction
def add_rows(typing_context: Any, values: Any, table: Any, shift: Any) -> Any:
    """Return the values plus the vector of each token."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(builder, args[1], args[2], count=values.width)
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
        places = _places(builder, args[0], args[1], count=values.width)
        for place, value in zip(places, unpack(builder, args[2], values.width), strict=True):
            emit.store(builder, place, value)
        return context.get_dummy_value()

    return types.void(address_type, address_type, values), code


@instruction
def prefetch_rows(typing_context: Any, table: Any, shift: Any, lot: Any) -> Any:
    """Ask for the cache line of the vector of each token."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for place in _places(builder, args[0], args[1], count=len(lot)):
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
def add_groups(typing_context: Any, left: Any, right: Any) -> Any:
    """Return left + right."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(*(unpack(builder, part, left.width) for part in args), strict=True)
        return pack(builder, [builder.fadd(*pair) for pair in pairs])

    return left(left, left), code


@instruction
def add_products(typing_context: Any, sums: Any, table: Any, shift: Any, weight: Any) -> Any:
    """Return the sums plus each token's number times a vector of weights."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _places(builder, args[1], args[2], count=sums.width)
        vectors = unpack(builder, args[0], sums.width)
        totals = [
            emit.fma(builder, emit.broadcast(builder, place), args[3], value)
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
        B, C = (_places(builder, table, emit.INT64(0), count=width) for table in tables)
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


@instruction
def replay_single(typing_context: Any, states: Any, A2: Any, steps: Any, x: Any, table: Any) -> Any:
    """Pass tokens through one state: store the state after each behind the one before all.

    Args:
        typing_context: Numba's.
        states: Address of the state before the first token; those after follow it.
        A2: Its vector A2.
        steps: Step sizes of the tokens.
        x: Inputs of the tokens.
        table: Table of the tokens' B.

    Returns:
        The signature, and what emits the code.
    """
    width = steps.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        steps, inputs = (unpack(builder, part, width) for part in args[2:4])
        decays = emit.exp2_of_products(builder, steps, [args[1]] * width)
        last = emit.load(builder, args[0])
        places = _places(builder, args[4], emit.INT64(0), count=width)
        tokens = zip(decays, steps, inputs, places, strict=True)
        for index, (decay, step, value, place) in enumerate(tokens):
            gain = builder.fmul(builder.fmul(step, value), emit.broadcast(builder, place))
            last = emit.fma(builder, decay, last, gain)
            emit.store(builder, args[0], last, index=index + 1)
        return context.get_dummy_value()

    return types.void(address_type, vector, steps, x, address_type), code


@instruction
def sweep_single(
    typing_context: Any,
    sums: Any,
    carried: Any,
    parameters: Any,
    buffers: Any,
    x: Any,
    dy: Any,
    tables: Any,
    shifts: Any,
    of_x: Any,
) -> Any:
    """Pass tokens backwards through one state: store dx and the gradient of the step sizes.

    Args:
        typing_context: Numba's.
        sums: For each token dB and dC, which are added to.
        carried: Address of four vectors that are updated: g, dA, gradients of bias and skip.
        parameters: Vectors A2 and skip.
        buffers: Addresses of the tokens' step sizes, of their slopes, and of the state before them,
            which those after follow.
        x: Inputs of the tokens.
        dy: Gradients of the outputs.
        tables: Tables of B, C, dx and the gradients of the step sizes.
        shifts: Of the last two tables.
        of_x: What dx is added to.

    Returns:
        The signature, and what emits the code.
    """
    width = x.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals = unpack(builder, args[0], 2 * width)
        A2, skip = (builder.extract_value(args[2], index) for index in range(2))
        A = builder.fmul(A2, emit.constant(emit.LN2))
        steps, slopes, states = (builder.extract_value(args[3], index) for index in range(3))
        inputs, outer, of_inputs = (unpack(builder, args[i], width) for i in (4, 5, 8))
        tables = [builder.extract_value(args[6], index) for index in range(4)]
        shifts = [emit.INT64(0)] * 2 + [builder.extract_value(args[7], i) for i in range(2)]
        B, C, to_x, to_steps = (
            _places(builder, *pair, count=width) for pair in zip(tables, shifts, strict=True)
        )
        step = [emit.load(builder, steps, index) for index in range(width)]
        decays = emit.exp2_of_products(builder, step, [A2] * width)
        g, of_A, of_bias, of_skip = (emit.load(builder, args[1], index) for index in range(4))
        for t in reversed(range(width)):
            through = emit.fma(builder, outer[t], emit.broadcast(builder, C[t]), g)
            scaled = builder.fmul(step[t], inputs[t])
            totals[2 * t] = emit.fma(builder, through, scaled, totals[2 * t])
            after, state = (emit.load(builder, states, index) for index in (t + 1, t))
            totals[2 * t + 1] = emit.fma(builder, outer[t], after, totals[2 * t + 1])
            g = builder.fmul(through, decays[t])
            exponent = builder.fmul(g, state)
            of_A = emit.fma(builder, exponent, step[t], of_A)
            gain = builder.fmul(through, emit.broadcast(builder, B[t]))
            of_step = emit.fma(builder, gain, inputs[t], builder.fmul(exponent, A))
            of_step = builder.fmul(of_step, emit.load(builder, slopes, t))
            of_bias = builder.fadd(of_bias, of_step)
            of_skip = emit.fma(builder, outer[t], inputs[t], of_skip)
            direct = emit.fma(builder, skip, outer[t], of_inputs[t])
            emit.store(builder, to_x[t], emit.fma(builder, gain, step[t], direct))
            emit.store(builder, to_steps[t], of_step)
        for index, value in enumerate((g, of_A, of_bias, of_skip)):
            emit.store(builder, args[1], value, index=index)
        return pack(builder, totals)

    four, three = (types.UniTuple(address_type, count) for count in (4, 3))
    pair = types.UniTuple(vector, 2)
    shifts_type = types.UniTuple(address_type, 2)
    arguments = (sums, address_type, pair, three, x, dy, four, shifts_type, of_x)
    return sums(*arguments), code


def _places(builder: Any, table: Any, shift: Any, *, count: int) -> list[Any]:
    """Return the shifted address of each token."""
    entries = emit.pointer(builder, table, emit.INT64)
    slots = [builder.gep(entries, [ir.Constant(emit.INT64, index)]) for index in range(count)]
    return [builder.add(builder.load(slot), shift) for slot in slots]
