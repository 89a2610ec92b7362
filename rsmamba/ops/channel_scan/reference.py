"""The scan over sequences of one feature as a plain loop: the specification of the fast form."""

import torch
from torch import Tensor
from torch.nn import functional


def channel_scan_reference(
    x: Tensor,
    *,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
) -> Tensor:
    """Run the scans step by step, with B_t and C_t as the paper has them.

    Args:
        x: Sequences, (K, L, M).
        dt_weight: Weight of the step size, (K,).
        dt_bias: Bias of the step size before the softplus, (K,).
        A: State decay rates, negative, (K, N).
        B: Weights of the input terms, (K, N).
        C: Weights of the output terms, (K, N).
        D: Skip terms, (K,).

    Returns:
        Outputs, (K, L, M).
    """
    state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])  # (K, M, N)
    outputs = []
    for t in range(x.shape[1]):
        value = x[:, t, :, None]  # (K, M, 1)
        step = value * dt_weight[:, None, None] + dt_bias[:, None, None]
        step = functional.softplus(step, threshold=50.0)
        input_term, output_term = value * B[:, None], value * C[:, None]  # (K, M, N)
        state = torch.exp(step * A[:, None]) * state + step * value * input_term
        outputs.append((state * output_term).sum(-1) + D[:, None] * x[:, t])  # (K, M)
    return torch.stack(outputs, dim=1)  # (K, L, M)
