"""One token step on several states at once.

The N states of 16 channels are cut into groups of `width` vectors that live in registers while a
chunk of tokens passes. `GroupType(width)` is such a group; the functions below are unrolled over
it, with the width taken from the type, so that one kernel source serves every N. A kernel gets its
width as the length of a tuple, which Numba compiles for.

With step = softplus(...), input = step * x, decay = 2**(step * A2), A2 = A / log(2), forward is
h = decay * h + input * B, out += C * h. Backward, with g the gradient that reaches a token's state
from later tokens: G = g + dy * C is the whole gradient of the state, and
dC += dy * h, dB += G * input, g' = decay * G, q = g' * h_before (the gradient of the exponent
step * A), dA += q * step, exponent += q * A2, through_input += G * B.
"""

from collections.abc import Sequence
from typing import Any

from numba import types

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction
from rsmamba.ops.cpu_kernels.groups import GroupType, pack, unpack
from rsmamba.ops.cpu_kernels.vectors import address_type

_SIDE_BY_SIDE = 4  # exponentials whose instructions are interleaved


@instruction
def load_states(typing_context: Any, address: Any, width: Any) -> Any:
    """Load as many vectors as the tuple `width` is long."""
    kind = GroupType(len(width))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = [emit.load(builder, args[0], index) for index in range(kind.width)]
        return pack(builder, vectors)

    return kind(address_type, width), code


@instruction
def store_states(typing_context: Any, address: Any, states: Any) -> Any:
    """Store all vectors of a group."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for index, value in enumerate(unpack(builder, args[1], states.width)):
            emit.store(builder, args[0], value, index=index)
        return context.get_dummy_value()

    return types.void(address_type, states), code


@instruction
def advance(
    typing_context: Any,
    states: Any,
    tokens: Any,
    A2: Any,
    place: Any,
    B: Any,
    C: Any,
) -> Any:
    """Pass tokens: return the new states and add their outputs to memory.

    Args:
        typing_context: Numba's.
        states: A group of states.
        tokens: Tuple as long as the number of tokens.
        A2: Address of the vectors A2 of the group.
        place: Addresses of the first token's vectors step, input and output; those of the next
            token follow each of them.
        B: Address of a row of pixel 0, bytes from a pixel's row to the next, and address of the
            tokens' pixels.
        C: The same for C, without the pixels.

    Returns:
        The signature, and what emits the code.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        before, _, A2, *tuples = args
        steps, scaled, outputs = _addresses(builder, tuples[0], 3)
        base, stride, pixels = _addresses(builder, tuples[1], 3)
        rows = _rows(builder, (base, stride, pixels), count=len(tokens))
        after = _pass_tokens(builder, before, (A2, steps, scaled), rows=rows, width=states.width)[1]
        rows = _rows(builder, (*_addresses(builder, tuples[2], 2), pixels), count=len(tokens))
        for token, row in enumerate(rows):
            total = emit.load(builder, outputs, token)
            for n, value in enumerate(after[token]):
                total = emit.fma(builder, value, emit.broadcast(builder, row, n), total)
            emit.store(builder, outputs, total, index=token)
        return pack(builder, after[-1])

    triple, pair = (types.UniTuple(address_type, count) for count in (3, 2))
    return states(states, tokens, address_type, triple, triple, pair), code


@instruction
def replay(
    typing_context: Any, states: Any, tokens: Any, A2: Any, place: Any, B: Any, kept: Any
) -> Any:
    """Pass tokens: return the new states; store each token's decays, then new states, at `kept`.

    Args:
        typing_context: Numba's.
        states: A group of states.
        tokens: Tuple as long as the number of tokens.
        A2: Address of the vectors A2 of the group.
        place: Addresses of the first token's vectors step and input; those of the next token follow
            each of them.
        B: Address of a row of pixel 0, bytes from a pixel's row to the next, and address of the
            tokens' pixels.
        kept: Where 2 * width vectors of each token go.

    Returns:
        The signature, and what emits the code.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        before, _, A2, *tuples, kept = args
        steps, scaled = _addresses(builder, tuples[0], 2)
        rows = _rows(builder, _addresses(builder, tuples[1], 3), count=len(tokens))
        values = _pass_tokens(builder, before, (A2, steps, scaled), rows=rows, width=states.width)
        vectors = [value for pair in zip(*values, strict=True) for part in pair for value in part]
        for index, value in enumerate(vectors):
            emit.store(builder, kept, value, index=index)
        return pack(builder, values[1][-1])

    triple, pair = (types.UniTuple(address_type, count) for count in (3, 2))
    return states(states, tokens, address_type, pair, triple, address_type), code


@instruction
def sweep_back(
    typing_context: Any,
    carried: Any,
    A2: Any,
    place: Any,
    added: Any,
    rows: Any,
    kept: Any,
    sums: Any,
) -> Any:
    """Pass one token backwards: return the new g and dA, and add to the token's sums in memory.

    Args:
        typing_context: Numba's.
        carried: The g of `width` states, then the dA of the same states.
        A2: Address of the `width` vectors A2.
        place: Addresses of the token's vectors step, input and dy.
        added: Addresses of the token's vectors exponent and through_input, which are added to.
        rows: Addresses of the `width` numbers B and of the `width` numbers C.
        kept: Address of what `replay` kept of this token; what it kept of the token before lies
            2 * width vectors earlier.
        sums: Addresses of `width` vectors dB and of `width` vectors dC, which are added to.

    Returns:
        The signature, and what emits the code.
    """
    width = carried.width // 2

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = unpack(builder, args[0], 2 * width)
        A2, kept = args[1], args[5]
        B, C = _addresses(builder, args[4], 2)
        dB, dC = _addresses(builder, args[6], 2)
        step, scaled, dy = (
            emit.load(builder, address) for address in _addresses(builder, args[2], 3)
        )
        targets = _addresses(builder, args[3], 2)
        exponent, through_input = (emit.load(builder, address) for address in targets)
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
        emit.store(builder, targets[0], exponent)
        emit.store(builder, targets[1], through_input)
        return pack(builder, vectors)

    triple, pair = (types.UniTuple(address_type, count) for count in (3, 2))
    return carried(carried, address_type, triple, pair, pair, address_type, pair), code


def _pass_tokens(
    builder: Any, states: Any, addresses: tuple[Any, Any, Any], *, rows: list[Any], width: int
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return, for each token, the decays of its states and the states after it."""
    A2, steps, scaled = addresses
    places = [(token, n) for token in range(len(rows)) for n in range(width)]
    step = [emit.load(builder, steps, token) for token in range(len(rows))]
    inputs = [emit.load(builder, scaled, token) for token in range(len(rows))]
    last = unpack(builder, states, width)
    decays: list[list[Any]] = [[] for _ in rows]
    after: list[list[Any]] = [[] for _ in rows]
    for first in range(0, len(places), _SIDE_BY_SIDE):
        lot = places[first : first + _SIDE_BY_SIDE]
        rates = [emit.load(builder, A2, n) for _, n in lot]
        gains = [builder.fmul(inputs[t], emit.broadcast(builder, rows[t], n)) for t, n in lot]
        lot_decays = emit.exp2_of_products(builder, [step[t] for t, _ in lot], rates)
        for (t, n), decay, gain in zip(lot, lot_decays, gains, strict=True):
            last[n] = emit.fma(builder, decay, last[n], gain)
            decays[t].append(decay)
            after[t].append(last[n])
    return decays, after


def _rows(builder: Any, where: Sequence[Any], *, count: int) -> list[Any]:
    """Return the addresses of the rows of `count` tokens: base + pixel * stride."""
    base, stride, pixels = where
    rows = []
    for token in range(count):
        slot = emit.pointer(builder, builder.add(pixels, emit.INT64(8 * token)), emit.INT64)
        rows.append(builder.add(base, builder.mul(builder.load(slot), stride)))
    return rows


def _addresses(builder: Any, pack: Any, count: int) -> list[Any]:
    """Take the addresses out of a tuple."""
    return [builder.extract_value(pack, index) for index in range(count)]


def _add_product(builder: Any, address: Any, factors: tuple[Any, Any], *, index: int) -> None:
    """Add a product to vector number `index` in memory."""
    total = emit.fma(builder, *factors, emit.load(builder, address, index))
    emit.store(builder, address, total, index=index)
