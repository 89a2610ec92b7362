"""The selective scan as a plain loop: the specification of every other backend.

Works in any floating type and is differentiable by autograd; meant for short sequences only, since
the loop's backward costs time in the square of the length.
"""

import torch
from torch import Tensor
from torch.nn import functional


def selective_scan_reference(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    *,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    dt_bias: Tensor | None = None,
    softplus: bool = True,
) -> Tensor:
    """Run the selective scan token by token.

    Args:
        x: Inputs, (batch, K, L, D).
        dt: Step sizes before bias and softplus, (batch, K, L, D).
        A: State decay rates, negative, (K, D, N).
        B: Input terms, (batch, K, L, N).
        C: Output terms, (batch, K, L, N).
        D: Skip terms, (K, D), or None for no skip.
        dt_bias: Added to `dt` before the softplus, (K, D), or None.
        softplus: Whether the step size is softplus(dt + dt_bias) or dt + dt_bias.

    Returns:
        Outputs, (batch, K, L, D).
    """
    if dt_bias is not None:
        dt = dt + dt_bias[:, None]
    if softplus:
        dt = functional.softplus(dt, threshold=50.0)
    state = x.new_zeros(*x.shape[:2], x.shape[3], A.shape[2])  # (batch, K, D, N)
    outputs = []
    for t in range(x.shape[2]):
        step = dt[:, :, t, :, None]  # (batch, K, D, 1)
        state = torch.exp(step * A) * state + step * x[:, :, t, :, None] * B[:, :, t, None]
        outputs.append((state * C[:, :, t, None]).sum(-1))  # (batch, K, D)
    y = torch.stack(outputs, dim=2)  # (batch, K, L, D)
    return y if D is None else y + x * D[:, None]
