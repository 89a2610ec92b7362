"""One token step on several states at once.

The N states of 16 channels are cut into groups of `width` vectors that live in registers while a
chunk of tokens passes. `StatesType(width)` is such a group; the functions below are unrolled over
it, with the width taken from the type, so that one kernel source serves every N. A kernel gets its
width as the length of a tuple, which Numba compiles for.

With step = softplus(...), input = step * x, decay = 2**(step * A2), A2 = A / log(2), forward is
h = decay * h + input * B, out += C * h. Backward, with g the gradient that reaches a token's state
from later tokens: G = g + dy * C is the whole gradient of the state, and
dC += dy * h, dB += G * input, g' = decay * G, q = g' * h_before (the gradient of the exponent
step * A), dA += q * step, exponent += q * A2, through_input += G * B.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.vectors import address_type

_SIDE_BY_SIDE = 4  # exponentials whose instructions are interleaved


class StatesType(types.Type):
    """Numba's view of `width` vectors of 16 channels."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"States{width}x16")


@register_model(StatesType)
class _StatesModel(models.PrimitiveModel):
    """The group is one LLVM array of vectors, which LLVM splits into registers."""

    def __init__(self, manager: Any, numba_type: StatesType) -> None:
        super().__init__(manager, numba_type, ir.ArrayType(emit.VECTOR, numba_type.width))


@intrinsic
def load_states(typing_context: Any, address: Any, width: Any) -> Any:
    """Load as many vectors as the tuple `width` is long."""
    kind = StatesType(len(width))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = [emit.load(builder, args[0], index) for index in range(kind.width)]
        return _pack(builder, vectors)

    return kind(address_type, width), code


@intrinsic
def store_states(typing_context: Any, address: Any, states: Any) -> Any:
    """Store all vectors of a group."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for index, value in enumerate(_unpack(builder, args[1], states.width)):
            emit.store(builder, args[0], value, index=index)
        return context.get_dummy_value()

    return types.void(address_type, states), code


@intrinsic
def advance(
    typing_context: Any, states: Any, A2: Any, step: Any, scaled: Any, B: Any, C: Any, out: Any
) -> Any:
    """Pass one token: return the new states and add their output to the vector at `out`.

    All arguments but `states` are addresses: of the vectors A2, step, input and out, and of the
    `width` numbers B and C.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        before, A2, step, scaled, B, C, out = args
        after = _next_states(builder, before, (A2, step, scaled, B), width=states.width)[1]
        total = emit.load(builder, out)
        for index, value in enumerate(after):
            total = emit.fma(builder, value, emit.broadcast(builder, C, index), total)
        emit.store(builder, out, total)
        return _pack(builder, after)

    return states(states, *[address_type] * 6), code


@intrinsic
def replay(
    typing_context: Any, states: Any, A2: Any, step: Any, scaled: Any, B: Any, kept: Any
) -> Any:
    """Pass one token: return the new states; store decays, then new states, at `kept`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        before, A2, step, scaled, B, kept = args
        values = _next_states(builder, before, (A2, step, scaled, B), width=states.width)
        for index, value in enumerate([*values[0], *values[1]]):
            emit.store(builder, kept, value, index=index)
        return _pack(builder, values[1])

    return states(states, *[address_type] * 5), code


@intrinsic
def sweep_back(
    typing_context: Any, carried: Any, A2: Any, token: Any, rows: Any, kept: Any, dB: Any, dC: Any
) -> Any:
    """Pass one token backwards: return the new g and dA, and add to dB, dC and the token's sums.

    Args:
        typing_context: Numba's.
        carried: The g of `width` states, then the dA of the same states.
        A2: Address of the `width` vectors A2.
        token: Pair of addresses: of the token's vectors step, input, dy, and of its vectors
            exponent and through_input, which are added to.
        rows: Pair of addresses: of the `width` numbers B, and of the `width` numbers C.
        kept: Address of what `replay` kept of this token; what it kept of the token before lies
            2 * width vectors earlier.
        dB: Address of `width` vectors that are added to.
        dC: Address of `width` vectors that are added to.

    Returns:
        The signature, and what emits the code.
    """
    width = carried.width // 2

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        carried_in, A2, token, rows, kept, dB, dC = args
        vectors = _unpack(builder, carried_in, 2 * width)
        (token_in, token_out), (B, C) = (
            [builder.extract_value(pair, index) for index in range(2)] for pair in (token, rows)
        )
        step, scaled, dy = (emit.load(builder, token_in, index) for index in range(3))
        exponent, through_input = (emit.load(builder, token_out, index) for index in range(2))
        for n in range(width):
            decay = emit.load(builder, kept, n)
            state = emit.load(builder, kept, width + n)
            before = emit.load(builder, kept, n - width)
            total = emit.fma(builder, dy, emit.broadcast(builder, C, n), vectors[n])
            _add_product(builder, dC, (dy, state), index=n)
            _add_product(builder, dB, (total, scaled), index=n)
            through_input = emit.fma(builder, total, emit.broadcast(builder, B, n), through_input)
            vectors[n] = builder.fmul(total, decay)
            of_exponent = builder.fmul(vectors[n], before)
            vectors[width + n] = emit.fma(builder, of_exponent, step, vectors[width + n])
            exponent = emit.fma(builder, of_exponent, emit.load(builder, A2, n), exponent)
        emit.store(builder, token_out, exponent)
        emit.store(builder, token_out, through_input, index=1)
        return _pack(builder, vectors)

    pair = types.UniTuple(address_type, 2)
    return carried(carried, address_type, pair, pair, *[address_type] * 3), code


def _next_states(
    builder: Any, states: Any, addresses: tuple[Any, Any, Any, Any], *, width: int
) -> tuple[list[Any], list[Any]]:
    """Return the decays of one token and the states after it."""
    A2, step_address, scaled_address, B = addresses
    step, scaled = emit.load(builder, step_address), emit.load(builder, scaled_address)
    before = _unpack(builder, states, width)
    decays: list[Any] = []
    after: list[Any] = []
    for first in range(0, width, _SIDE_BY_SIDE):
        group = range(first, min(first + _SIDE_BY_SIDE, width))
        exponents = [builder.fmul(step, emit.load(builder, A2, n)) for n in group]
        inputs = [builder.fmul(scaled, emit.broadcast(builder, B, n)) for n in group]
        decays += emit.exp2(builder, exponents)
        after += [
            emit.fma(builder, decays[n], before[n], value)
            for n, value in zip(group, inputs, strict=True)
        ]
    return decays, after


def _add_product(builder: Any, address: Any, factors: tuple[Any, Any], *, index: int) -> None:
    """Add a product to vector number `index` in memory."""
    total = emit.fma(builder, *factors, emit.load(builder, address, index))
    emit.store(builder, address, total, index=index)


def _pack(builder: Any, vectors: list[Any]) -> Any:
    """Put vectors into one LLVM array."""
    array = ir.Constant(ir.ArrayType(emit.VECTOR, len(vectors)), ir.Undefined)
    for index, value in enumerate(vectors):
        array = builder.insert_value(array, value, index)
    return array


def _unpack(builder: Any, array: Any, width: int) -> list[Any]:
    """Take the vectors out of an LLVM array."""
    return [builder.extract_value(array, index) for index in range(width)]
