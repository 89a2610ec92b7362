"""A vector of 16 float32 numbers as a type of Numba, and what kernels do with it.

LLVM vectorises Numba's own loops over arrays only as far as it can prove that arrays do not
overlap, which costs a scan a factor of 4 to 20. Here one private type is one LLVM vector, and every
function below becomes the few instructions that `emit` writes. Addresses are integers, in bytes.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction

_FLUSH_BITS = 0x8040  # flush to zero, and denormals are zero, in the x86 control register


class VectorType(types.Type):
    """Numba's view of 16 float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name="Float32x16")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    """The vector is one LLVM value."""

    def __init__(self, manager: Any, numba_type: VectorType) -> None:
        super().__init__(manager, numba_type, emit.VECTOR)


vector = VectorType()
address_type = types.int64


@instruction
def load(typing_context: Any, address: Any) -> Any:
    """Load 16 numbers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.load(builder, args[0])

    return vector(address_type), code


@instruction
def store(typing_context: Any, address: Any, value: Any) -> Any:
    """Store 16 numbers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit.store(builder, args[0], args[1])
        return context.get_dummy_value()

    return types.void(address_type, vector), code


@instruction
def broadcast(typing_context: Any, address: Any) -> Any:
    """Load one number into all lanes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.broadcast(builder, args[0])

    return vector(address_type), code


@instruction
def gather(typing_context: Any, address: Any, stride: Any) -> Any:
    """Load 16 numbers that lie `stride` bytes apart."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.gather(builder, args[0], args[1])

    return vector(address_type, address_type), code


@instruction
def times_log2_e(typing_context: Any, value: Any) -> Any:
    """Divide by log(2), so that a power of two takes the place of one of e."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(args[0], emit.constant(emit.LOG2_E))

    return vector(vector), code


@instruction
def zero(typing_context: Any) -> Any:
    """Return 16 zeros."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.constant(0.0)

    return vector(), code


@instruction
def one(typing_context: Any) -> Any:
    """Return 16 ones."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.constant(1.0)

    return vector(), code


@instruction
def fma(typing_context: Any, left: Any, right: Any, addend: Any) -> Any:
    """Return left * right + addend."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.fma(builder, *args)

    return vector(vector, vector, vector), code


@instruction
def store_lane_sums(typing_context: Any, target: Any, source: Any) -> Any:
    """Store at `target` the lane sums of the 16 vectors at `source`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = [emit.load(builder, args[1], index) for index in range(emit.LANES)]
        emit.store(builder, args[0], emit.sum_lanes(builder, vectors))
        return context.get_dummy_value()

    return types.void(address_type, address_type), code


@instruction
def prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line of an address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit.prefetch(builder, args[0])
        return context.get_dummy_value()

    return types.void(address_type), code


@instruction
def load_int32(typing_context: Any, address: Any) -> Any:
    """Load one 32-bit index."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(emit.pointer(builder, args[0], emit.INT32))
        return builder.sext(value, emit.INT64)

    return types.int64(address_type), code


@instruction
def load_int64(typing_context: Any, address: Any) -> Any:
    """Load one 64-bit index."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(emit.pointer(builder, args[0], emit.INT64))

    return types.int64(address_type), code


@instruction
def store_int64(typing_context: Any, address: Any, value: Any) -> Any:
    """Store one 64-bit index."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], emit.pointer(builder, args[0], emit.INT64))
        return context.get_dummy_value()

    return types.void(address_type, types.int64), code


@instruction
def copy_floats(typing_context: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy `count` numbers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        places = [emit.pointer(builder, place, byte) for place in args[:2]]
        size = builder.mul(args[2], emit.INT64(4))
        values = [*places, size, ir.IntType(1)(0)]
        emit.call(builder, "llvm.memcpy.p0.p0.i64", ir.VoidType(), values)
        return context.get_dummy_value()

    return types.void(address_type, address_type, types.int64), code


@instruction
def flush_denormals(typing_context: Any) -> Any:
    """Treat denormals as zero from here on; return what `restore_denormals` needs.

    A state that fades out would otherwise pass through numbers that cost x86 CPUs 150 cycles each.
    Other CPUs have no such penalty and are left alone.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not emit.IS_X86:
            return emit.INT64(0)
        before = _read_control(builder)
        _write_control(builder, builder.or_(before, emit.INT32(_FLUSH_BITS)))
        return builder.zext(before, emit.INT64)

    return types.int64(), code


@instruction
def restore_denormals(typing_context: Any, before: Any) -> Any:
    """Put back what `flush_denormals` changed."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if emit.IS_X86:
            _write_control(builder, builder.trunc(args[0], emit.INT32))
        return context.get_dummy_value()

    return types.void(types.int64), code


def _read_control(builder: Any) -> Any:
    """Read the x86 floating-point control register."""
    slot = builder.alloca(emit.INT32)
    place = builder.bitcast(slot, ir.PointerType(ir.IntType(8)))
    emit.call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [place])
    return builder.load(slot)


def _write_control(builder: Any, value: Any) -> None:
    """Write the x86 floating-point control register."""
    slot = builder.alloca(emit.INT32)
    builder.store(value, slot)
    place = builder.bitcast(slot, ir.PointerType(ir.IntType(8)))
    emit.call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [place])
