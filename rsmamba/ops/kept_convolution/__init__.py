"""Depth-wise convolutions where only some pixels of a map are left, and of a sequence.

Pixels that are not left count as zero. The work is that of the pixels that are left and of those
among their neighbours that are.

Symbols: B batch, H rows, W columns, n kept pixels of each image, D channels, k side of the kernel.
"""

import functools
import importlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.errors import ShapeError
from rsmamba.ops.cpu_kernels.emit import LANES
from rsmamba.ops.dispatch import Backend, choose, computing_dtype, is_traced

__all__ = ["causal_convolution", "kept_convolution", "kept_neighbours"]


def kept_neighbours(index: Tensor, *, height: int, width: int, kernel: int) -> Tensor:
    """Find what lies under a kernel at each kept pixel.

    Args:
        index: Raster indices of the kept pixels, rising, int64 (B, n).
        height: Rows of the map.
        width: Columns of the map.
        kernel: Side k of the kernel, odd.

    Returns:
        Number of the kept pixel under each weight, or -1, int32 (B, n, k * k).

    Example:
        >>> kept_neighbours(torch.tensor([[0, 2, 3]]), height=1, width=4, kernel=3)[0, :, 3:6]
        tensor([[-1,  0, -1],
                [-1,  1,  2],
                [ 1,  2, -1]], dtype=torch.int32)
    """
    half = kernel // 2
    batch, count = index.shape
    padded = (height + 2 * half, width + 2 * half)
    place = (index // width + half) * padded[1] + index % width + half
    numbers = torch.arange(count, dtype=torch.int32, device=index.device).expand(batch, -1)
    table = numbers.new_full((batch, padded[0] * padded[1]), -1).scatter(1, place, numbers)
    offsets = torch.arange(-half, half + 1, device=index.device)
    shifts = (offsets.unsqueeze(1) * padded[1] + offsets).flatten()  # (k * k,)
    wanted = (place.unsqueeze(-1) + shifts).flatten(1)
    return table.gather(1, wanted).view(batch, count, kernel * kernel)


def kept_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    index: Tensor,
    neighbours: Tensor,
    height: int,
    width: int,
    backend: Backend = "auto",
) -> Tensor:
    """Convolve each channel with its own kernel at the kept pixels, zero-padded.

    Args:
        x: Values of the kept pixels, (B, n, D).
        weight: Kernels, (D, 1, k, k), k odd.
        bias: Added to each channel, (D,), or None.
        index: Raster indices of the kept pixels, rising, int64 (B, n).
        neighbours: What `kept_neighbours` found for them.
        height: Rows of the map.
        width: Columns of the map.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Values of the kept pixels with shape and dtype of `x`, (B, n, D).

    Raises:
        ShapeError: If the neighbours are not those of such a kernel and so many pixels.
    """
    taps = weight.shape[2] * weight.shape[3]
    if tuple(neighbours.shape) != (*x.shape[:2], taps):
        message = (
            f"kept_convolution: neighbours must have shape {(*x.shape[:2], taps)} to go with x "
            f"{tuple(x.shape)} and weight {tuple(weight.shape)}, got {tuple(neighbours.shape)}"
        )
        raise ShapeError(message)
    tensors = tuple(tensor for tensor in (x, weight, bias) if tensor is not None)
    if _runs_compiled(*tensors, backend=backend):
        return _compiled()(x, weight, bias, neighbours=neighbours)
    batch, count, channels = x.shape
    places = index.unsqueeze(-1).expand(-1, -1, channels)
    full = x.new_zeros(batch, height * width, channels).scatter(1, places, x)
    cells = full.view(batch, height, width, channels).permute(0, 3, 1, 2)
    done = functional.conv2d(cells, weight, bias, padding=weight.shape[2] // 2, groups=channels)
    return done.permute(0, 2, 3, 1).flatten(1, 2).gather(1, places).view(batch, count, channels)


def causal_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    reverse: bool = False,
    backend: Backend = "auto",
) -> Tensor:
    """Convolve each channel of a sequence with the tokens up to each one.

    Args:
        x: Sequence, (B, L, D).
        weight: Kernels as those of `torch.nn.Conv1d`, (D, 1, k).
        bias: Added to each channel, (D,), or None.
        reverse: Read the sequence backwards: each token meets itself and those behind it.
        backend: "auto", or the name of the backend that must run.

    Returns:
        Sequence with shape, dtype and order of `x`; what is beyond its ends counts as zero.

    Example:
        >>> causal_convolution(torch.ones(1, 3, 1), torch.ones(1, 1, 2), None).flatten()
        tensor([1., 2., 2.])
    """
    size = weight.shape[2]
    tensors = tuple(tensor for tensor in (x, weight, bias) if tensor is not None)
    if _runs_compiled(*tensors, backend=backend):
        return _compiled()(x, weight, bias, neighbours=_causal_taps(x.shape[1], size, reverse))
    ends = (0, 0, 0, size - 1) if reverse else (0, 0, size - 1, 0)
    padded = functional.pad(x, ends).transpose(1, 2)  # (B, D, k - 1 + L)
    kernels = weight.flip(2) if reverse else weight
    return functional.conv1d(padded, kernels, bias, groups=x.shape[2]).transpose(1, 2)


@functools.lru_cache(maxsize=64)
def _causal_taps(length: int, size: int, reverse: bool) -> Tensor:
    """Return the token under each weight of a causal kernel, or -1, int32 (1, L, k)."""
    tokens = torch.arange(length, dtype=torch.int32).unsqueeze(1)
    taps = tokens + torch.arange(1 - size, 1, dtype=torch.int32)
    taps = taps.clamp_min(-1)
    return (taps if not reverse else _mirrored(taps, length)).unsqueeze(0)


def _mirrored(taps: Tensor, length: int) -> Tensor:
    """Return the taps (L, k) of the reversed sequence."""
    turned = taps.flip(0)
    return torch.where(turned < 0, turned, length - 1 - turned)


def _compiled() -> Callable[..., Tensor]:
    """Load the kernel when it is first needed."""
    module = importlib.import_module("rsmamba.ops.kept_convolution.compiled")
    function: Callable[..., Tensor] = module.compiled_kept_convolution
    return function


def _runs_compiled(*tensors: Tensor, backend: Backend) -> bool:
    """Say whether the compiled forward kernel takes a call: it has no gradients."""
    x = tensors[0]
    needs_gradients = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if needs_gradients or is_traced(*tensors) or x.shape[2] % LANES or x.shape[1] == 0:
        return False
    dtype = computing_dtype(x)
    return choose("selective_scan", backend=backend, device=x.device, dtype=dtype) == "numba"
