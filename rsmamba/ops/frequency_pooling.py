"""Global pooling of a map seen through several frequency images.

Source: CVMH-UNet (arXiv 2410.05624, section III-C, equations 6 to 8): every channel is multiplied
by every frequency image; average, maximum and minimum over the positions are taken of each product
and averaged over the frequencies.

Glossary: B batch, L positions (H W), C channels, F frequencies.

The products are never kept. Each extreme comes from a single position, so the backward needs only
2 F indices a channel instead of F products. Without gradients, a compiled kernel gives the same
bits on the CPU in a tenth of the time.
"""

import functools
import importlib.util
from types import ModuleType
from typing import Any

import torch
from typing_extensions import override

from rsmamba.errors import ShapeError
from rsmamba.ops.dispatch import is_traced

_LANES = 16  # channels that the kernel takes at once


def frequency_pool(
    features: torch.Tensor, basis: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pool a map through frequency images.

    Args:
        features: Map of shape (B, L, C).
        basis: Frequency images of shape (F, L).

    Returns:
        Average, maximum and minimum over the positions, each averaged over the frequencies and of
        shape (B, C). Where several positions share an extreme, the first takes the gradient.

    Raises:
        ShapeError: If the numbers of positions differ.

    Example:
        >>> pooled = frequency_pool(torch.ones(1, 4, 2), torch.ones(3, 4))
        >>> [part.tolist() for part in pooled]
        [[[1.0, 1.0]], [[1.0, 1.0]], [[1.0, 1.0]]]
    """
    if features.ndim != 3 or basis.ndim != 2 or features.shape[1] != basis.shape[1]:
        message = (
            f"features {tuple(features.shape)} and basis {tuple(basis.shape)} do not fit; "
            "give (B, L, C) and (F, L) with the same L"
        )
        raise ShapeError(message)
    basis = basis.to(features.dtype)
    # By linearity the mean over the frequencies is one pooling with the mean frequency image.
    average = torch.einsum("blc,l->bc", features, basis.mean(dim=0)) / features.shape[1]
    if torch.is_grad_enabled() and features.requires_grad:
        maximum, minimum = _ExtremePool.apply(features, basis)
    elif _kernel_fits(features) and bool(average.isfinite().all()):
        maximum, minimum = _kernel().mean_extremes(features, basis)
    else:
        maximum, minimum = _extremes(features, basis)
    return average, maximum, minimum


def _kernel_fits(features: torch.Tensor) -> bool:
    """Say whether the compiled kernel can take a map; it does not carry NaN along as torch does."""
    return (
        features.device.type == "cpu"
        and features.dtype == torch.float32
        and features.shape[2] % _LANES == 0
        and not is_traced(features)
        and _has_numba()
    )


@functools.cache
def _has_numba() -> bool:
    """Say whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def _kernel() -> ModuleType:
    """Load the compiled kernel, and numba with it, when it is first needed."""
    return importlib.import_module("rsmamba.ops.cpu_kernels.extremes")


def _extremes(features: torch.Tensor, basis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean over the frequencies of the largest and smallest product, each (B, C)."""
    maximum = minimum = torch.zeros_like(features[:, 0])
    for image in basis:
        product = features * image[:, None]
        maximum = maximum + product.amax(dim=1)
        minimum = minimum + product.amin(dim=1)
    return maximum / len(basis), minimum / len(basis)


class _ExtremePool(torch.autograd.Function):
    """The extremes with a backward that scatters into their positions."""

    @staticmethod
    @override
    def forward(
        ctx: Any, features: torch.Tensor, basis: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep where each extreme lies: two (F, B, C) index tensors."""
        highest, lowest, where_highest, where_lowest = [], [], [], []
        for image in basis:
            product = features * image[:, None]  # (B, L, C)
            values, places = product.max(dim=1)
            highest.append(values)
            where_highest.append(places)
            values, places = product.min(dim=1)
            lowest.append(values)
            where_lowest.append(places)
        ctx.save_for_backward(basis, torch.stack(where_highest), torch.stack(where_lowest))
        ctx.shape = features.shape
        return torch.stack(highest).mean(dim=0), torch.stack(lowest).mean(dim=0)

    @staticmethod
    @override
    def backward(
        ctx: Any, grad_maximum: torch.Tensor, grad_minimum: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        basis, where_highest, where_lowest = ctx.saved_tensors
        frequencies = basis.shape[0]
        grad = grad_maximum.new_zeros(ctx.shape)
        for places, upstream in ((where_highest, grad_maximum), (where_lowest, grad_minimum)):
            factors = basis.gather(1, places.reshape(frequencies, -1)).view_as(places)
            shares = factors * (upstream / frequencies)  # (F, B, C)
            grad.scatter_add_(1, places.transpose(0, 1), shares.transpose(0, 1))
        return grad, None
