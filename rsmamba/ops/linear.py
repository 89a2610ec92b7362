"""A linear layer and the GELU behind it, in one pass where nothing has to be differentiated."""

import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.ops.dispatch import is_traced


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute GELU(x W^T + b) with the exact (erf) GELU.

    In inference on a CPU oneDNN adds the bias and applies the GELU while the product is in the
    caches, which spares two passes over the widest tensor of a block; the result differs by
    rounding. Elsewhere the usual layers run.

    Args:
        x: Inputs (..., C).
        weight: Weights (D, C).
        bias: Bias (D,).

    Returns:
        Outputs (..., D).
    """
    if _can_fuse(x, weight):
        fused: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "none")
        return fused
    return functional.gelu(functional.linear(x, weight, bias))


def _can_fuse(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.numel() > 0
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not is_traced(x, weight)
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
