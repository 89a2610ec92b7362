"""Several vectors as one value that kernels keep in registers.

A function over a group is unrolled over its vectors; their number is part of the type.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from rsmamba.ops.cpu_kernels import emit


class GroupType(types.Type):
    """Numba's view of `width` vectors of 16 channels."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Group{width}x16")


@register_model(GroupType)
class _GroupModel(models.PrimitiveModel):
    """The group is one LLVM array of vectors, which LLVM splits into registers."""

    def __init__(self, manager: Any, numba_type: GroupType) -> None:
        super().__init__(manager, numba_type, ir.ArrayType(emit.VECTOR, numba_type.width))


def pack(builder: Any, vectors: list[Any]) -> Any:
    """Put vectors into one LLVM array."""
    array = ir.Constant(ir.ArrayType(emit.VECTOR, len(vectors)), ir.Undefined)
    for index, value in enumerate(vectors):
        array = builder.insert_value(array, value, index)
    return array


def unpack(builder: Any, array: Any, width: int) -> list[Any]:
    """Take the vectors out of an LLVM array."""
    return [builder.extract_value(array, index) for index in range(width)]
