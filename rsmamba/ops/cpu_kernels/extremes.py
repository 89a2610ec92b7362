"""Largest and smallest products of a map with frequency images, without the products.

Tiles of 64 positions pass; within a tile, block after block of 16 channels, and eight images at a
time, whose 16 extremes fill half of AVX-512's registers.
"""

from typing import Any

import torch
from numba import types
from torch import Tensor

from rsmamba.ops.cpu_kernels import emit
from rsmamba.ops.cpu_kernels.compiling import instruction, kernel
from rsmamba.ops.cpu_kernels.emit import LANES, VECTOR_BYTES
from rsmamba.ops.cpu_kernels.groups import GroupType, pack, unpack
from rsmamba.ops.cpu_kernels.lots import load_group, store_group
from rsmamba.ops.cpu_kernels.threads import run_tasks
from rsmamba.ops.cpu_kernels.vectors import address_type

_IMAGES = 8  # that pass together
_TILE = 64


def mean_extremes(features: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over the images of the largest and of the smallest product.

    Args:
        features: Finite map, float32 on the CPU, (B, L, C), C a multiple of 16.
        basis: Frequency images, float32, (F, L).

    Returns:
        Two tensors (B, C).
    """
    features, basis = features.contiguous(), basis.contiguous()
    batch, length, channels = features.shape
    images = basis.shape[0]
    groups = -(-images // _IMAGES)
    # For each batch item, block and group of images: 8 vectors of maxima, then 8 of minima.
    shape = (batch, channels // LANES, groups, 2, _IMAGES, LANES)
    extremes = torch.empty(shape)
    extremes[:, :, :, 0], extremes[:, :, :, 1] = -torch.inf, torch.inf

    blocks = channels // LANES
    pieces = min(blocks, torch.get_num_threads())

    def run(first: int, last: int) -> None:
        for task in range(first, last):
            item, piece = divmod(task, pieces)
            _scan_tiles(
                features[item].data_ptr(),
                basis.data_ptr(),
                extremes[item].data_ptr(),
                (length, channels, images),
                (piece * blocks // pieces, (piece + 1) * blocks // pieces),
                (0,) * _IMAGES,
            )

    run_tasks(run, batch * pieces)
    parts = extremes.permute(3, 0, 2, 4, 1, 5).reshape(2, batch, -1, channels)[:, :, :images]
    maximum, minimum = parts.mean(dim=2)
    return maximum, minimum


@kernel
def _scan_tiles(
    features: Any, basis: Any, extremes: Any, sizes: Any, blocks: Any, together: Any
) -> None:
    """Update the extremes of some blocks of one batch item."""
    length, channels, images = sizes
    groups = (images + len(together) - 1) // len(together)
    for first in range(0, length, _TILE):
        last = min(length, first + _TILE)
        for block in range(blocks[0], blocks[1]):
            for group in range(groups):
                place = extremes + (block * groups + group) * 2 * len(together) * VECTOR_BYTES
                best = load_group(place, together + together)
                rows = _images(basis, group * len(together), images - 1, 4 * length, together)
                for position in range(first, last):
                    value = features + position * channels * 4 + block * VECTOR_BYTES
                    best = _update(best, value, rows, 4 * position)
                store_group(place, best)


@instruction
def _images(
    typing_context: Any, basis: Any, first: Any, last: Any, stride: Any, together: Any
) -> Any:
    """Return the addresses of images from number `first` on; those after the last repeat it."""
    kind = types.UniTuple(address_type, len(together))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = []
        for index in range(len(together)):
            number = builder.add(args[1], emit.INT64(index))
            over = builder.icmp_signed(">", number, args[2])
            number = builder.select(over, args[2], number)
            places.append(builder.add(args[0], builder.mul(number, args[3])))
        return context.make_tuple(builder, kind, places)

    return kind(address_type, types.int64, types.int64, types.int64, together), code


@instruction
def _update(typing_context: Any, best: Any, value: Any, rows: Any, shift: Any) -> Any:
    """Return the maxima and minima with the products of one vector."""
    count = best.width // 2

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        held = unpack(builder, args[0], 2 * count)
        features = emit.load(builder, args[1])
        for index in range(count):
            row = builder.add(builder.extract_value(args[2], index), args[3])
            product = builder.fmul(features, emit.broadcast(builder, row))
            for place, sign in ((index, ">"), (count + index, "<")):
                better = builder.fcmp_ordered(sign, product, held[place])
                held[place] = builder.select(better, product, held[place])
        return pack(builder, held)

    kind = GroupType(2 * count)
    return kind(best, address_type, types.UniTuple(address_type, count), address_type), code
