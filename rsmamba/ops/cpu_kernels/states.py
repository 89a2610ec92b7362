"""Passing the tokens of a lot through one state after the other, forwards and backwards.

With step = softplus(...), input = step * x, decay = 2**(step * A2), A2 = A / log(2), forward is
h = decay * h + input * B, out += C * h. Backward, with g the gradient that reaches a token's state
from later tokens: G = g + dy * C is the whole gradient of the state, and
dC += dy * h, dB += G * input, g' = decay * G, q = g' * h_before (the gradient of the exponent
step * A), dA += q * step; the step size gets the sum of q * A over the states, and x * G * B.
"""

from typing import Any

from numba import types

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction
from rsmamba.ops.cpu_kernels.groups import pack, unpack
from rsmamba.ops.cpu_kernels.lots import row_addresses
from rsmamba.ops.cpu_kernels.vectors import address_type, vector


@instruction
def advance_state(
    typing_context: Any,
    outputs: Any,
    state: Any,
    A2: Any,
    steps: Any,
    scaled: Any,
    rows: Any,
    shift: Any,
) -> Any:
    """Pass tokens through one state: update it in memory and return what is added to the outputs.

    Args:
        typing_context: Numba's.
        outputs: What is added to.
        state: Address of the state.
        A2: Its vector A2.
        steps: Step sizes of the tokens.
        scaled: Step sizes times inputs.
        rows: Addresses of the tokens' rows of B and of C.
        shift: Of the state's number in these rows.

    Returns:
        The signature, and what emits the code.
    """
    width = steps.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals, steps, scaled = (unpack(builder, args[index], width) for index in (0, 3, 4))
        B, C = (_shifted(builder, args[5], index, args[6], count=width) for index in range(2))
        before = emit.load(builder, args[1])
        decays = emit.exp2_of_products(builder, steps, [args[2]] * width)
        states = _states(builder, before, (decays, scaled, B))
        emit.store(builder, args[1], states[-1])
        tokens = zip(states, C, totals, strict=True)
        return pack(
            builder,
            [emit.fma(builder, state, emit.broadcast(builder, c), y) for state, c, y in tokens],
        )

    pair = types.UniTuple(types.UniTuple(address_type, width), 2)
    return outputs(outputs, address_type, vector, steps, scaled, pair, address_type), code


@instruction
def replay_state(
    typing_context: Any,
    state: Any,
    after: Any,
    decays: Any,
    A2: Any,
    steps: Any,
    scaled: Any,
    rows: Any,
    shift: Any,
) -> Any:
    """Pass tokens through the state at one address, and store what becomes of it and its decays.

    Args:
        typing_context: Numba's.
        state: Address of the state before.
        after: Address of the state after.
        decays: Where the decays of the tokens go.
        A2: Its vector A2.
        steps: Step sizes of the tokens.
        scaled: Step sizes times inputs.
        rows: Addresses of the tokens' rows of B.
        shift: Of the state's number in these rows.

    Returns:
        The signature, and what emits the code.
    """
    width = steps.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        steps, scaled = (unpack(builder, args[index], width) for index in (4, 5))
        B = _shifted(builder, args[6], None, args[7], count=width)
        before = emit.load(builder, args[0])
        decays = emit.exp2_of_products(builder, steps, [args[3]] * width)
        emit.store(builder, args[1], _states(builder, before, (decays, scaled, B))[-1])
        for index, value in enumerate(decays):
            emit.store(builder, args[2], value, index=index)
        return context.get_dummy_value()

    arguments = (vector, steps, scaled, types.UniTuple(address_type, width), address_type)
    return types.void(address_type, address_type, address_type, *arguments), code


@instruction
def sweep_state(
    typing_context: Any,
    sums: Any,
    carried: Any,
    replayed: Any,
    A2: Any,
    steps: Any,
    scaled: Any,
    dy: Any,
    rows: Any,
    shift: Any,
    of_rows: Any,
) -> Any:
    """Pass tokens backwards through one state.

    Args:
        typing_context: Numba's.
        sums: For each token what is summed over states: q * A2, then G * B.
        carried: Address of g, which dA follows; both are updated.
        replayed: Addresses of the state before the first token and of the tokens' decays.
        A2: Its vector A2.
        steps: Step sizes of the tokens.
        scaled: Step sizes times inputs.
        dy: Gradients of the outputs.
        rows: Addresses of the tokens' rows of B and of C.
        shift: Of the state's number in these rows.
        of_rows: Address of the tokens' vectors dB and dC in pairs, which are added to.

    Returns:
        The signature, and what emits the code.
    """
    width = steps.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals = unpack(builder, args[0], 2 * width)
        steps, scaled, outer = (unpack(builder, args[index], width) for index in (4, 5, 6))
        B, C = (_shifted(builder, args[7], index, args[8], count=width) for index in range(2))
        start, kept = (builder.extract_value(args[2], index) for index in range(2))
        decays = [emit.load(builder, kept, index) for index in range(width)]
        states = [emit.load(builder, start)]
        states += _states(builder, states[0], (decays, scaled, B))
        g, of_A = (emit.load(builder, args[1], index) for index in range(2))
        for t in reversed(range(width)):
            through = emit.fma(builder, outer[t], emit.broadcast(builder, C[t]), g)
            _add_product(builder, args[9], (through, scaled[t]), index=2 * t)
            _add_product(builder, args[9], (outer[t], states[t + 1]), index=2 * t + 1)
            g = builder.fmul(through, decays[t])
            exponent = builder.fmul(g, states[t])
            of_A = emit.fma(builder, exponent, steps[t], of_A)
            totals[t] = emit.fma(builder, exponent, args[3], totals[t])
            gain = emit.broadcast(builder, B[t])
            totals[width + t] = emit.fma(builder, through, gain, totals[width + t])
        for index, value in enumerate((g, of_A)):
            emit.store(builder, args[1], value, index=index)
        return pack(builder, totals)

    both = types.UniTuple(address_type, 2)
    pair = types.UniTuple(types.UniTuple(address_type, width), 2)
    arguments = (address_type, both, vector, steps, scaled, dy, pair, address_type, address_type)
    return sums(sums, *arguments), code


@instruction
def finish_sweep(
    typing_context: Any,
    sums: Any,
    carried: Any,
    skip: Any,
    buffers: Any,
    x: Any,
    dy: Any,
    tables: Any,
    shifts: Any,
    of_x: Any,
) -> Any:
    """Store dx and the gradients of the step sizes of a lot.

    Args:
        typing_context: Numba's.
        sums: What `sweep_state` returned for the last state.
        carried: Address of the gradients of bias and skip, which are updated.
        skip: Vector of skip terms.
        buffers: Addresses of the tokens' step sizes and of their slopes.
        x: Inputs of the tokens.
        dy: Gradients of the outputs.
        tables: Tables of dx and of the gradients of the step sizes.
        shifts: Of these tables.
        of_x: What dx is added to.

    Returns:
        The signature, and what emits the code.
    """
    width = x.width

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals = unpack(builder, args[0], 2 * width)
        steps, slopes = (builder.extract_value(args[3], index) for index in range(2))
        inputs, outer, of_inputs = (unpack(builder, args[index], width) for index in (4, 5, 8))
        to_x, to_steps = (
            row_addresses(
                builder, *(builder.extract_value(args[k], index) for k in (6, 7)), count=width
            )
            for index in range(2)
        )
        of_bias, of_skip = (emit.load(builder, args[1], index) for index in range(2))
        for t, (value, through) in enumerate(zip(inputs, totals[width:], strict=True)):
            of_exponent = builder.fmul(totals[t], emit.constant(emit.LN2))
            of_step = emit.fma(builder, through, value, of_exponent)
            of_step = builder.fmul(of_step, emit.load(builder, slopes, t))
            of_bias = builder.fadd(of_bias, of_step)
            of_skip = emit.fma(builder, outer[t], value, of_skip)
            direct = emit.fma(builder, args[2], outer[t], of_inputs[t])
            step = emit.load(builder, steps, t)
            emit.store(builder, to_x[t], emit.fma(builder, through, step, direct))
            emit.store(builder, to_steps[t], of_step)
        for index, value in enumerate((of_bias, of_skip)):
            emit.store(builder, args[1], value, index=index)
        return context.get_dummy_value()

    pair = types.UniTuple(address_type, 2)
    return types.void(sums, address_type, vector, pair, x, dy, pair, pair, of_x), code


def _states(builder: Any, before: Any, tokens: tuple[list[Any], list[Any], list[Any]]) -> list[Any]:
    """Return a state after each token, given by decay, step size times input, and address of B."""
    last, states = before, []
    for decay, value, place in zip(*tokens, strict=True):
        gain = builder.fmul(value, emit.broadcast(builder, place))
        last = emit.fma(builder, decay, last, gain)
        states.append(last)
    return states


def _shifted(builder: Any, rows: Any, which: int | None, shift: Any, *, count: int) -> list[Any]:
    """Return addresses out of a tuple, or out of one in a tuple of tuples, shifted."""
    single = rows if which is None else builder.extract_value(rows, which)
    return [builder.add(builder.extract_value(single, index), shift) for index in range(count)]


def _add_product(builder: Any, address: Any, factors: tuple[Any, Any], *, index: int) -> None:
    """Add a product to vector number `index` in memory."""
    total = emit.fma(builder, *factors, emit.load(builder, address, index))
    emit.store(builder, address, total, index=index)
