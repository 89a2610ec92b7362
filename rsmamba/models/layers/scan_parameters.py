"""First values of the parameters of a selective scan.

Source: Mamba (arXiv 2312.00752, section 3.6) and its released code; every network of this package
starts its scans this way.
"""

import math

import torch
from torch import Tensor

DT_MIN, DT_MAX, DT_FLOOR = 1e-3, 1e-1, 1e-4


@torch.no_grad()
def reset_dt_bias_(bias: Tensor) -> Tensor:
    """Fill a step-size bias so that softplus(bias) is log-uniform in [0.001, 0.1].

    Args:
        bias: Tensor of any shape, changed in place.

    Returns:
        The same tensor.
    """
    dt = torch.empty_like(bias).uniform_(math.log(DT_MIN), math.log(DT_MAX)).exp()
    dt = dt.clamp(min=DT_FLOOR)
    return bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # inverse of softplus


@torch.no_grad()
def reset_dt_weight_(weight: Tensor) -> Tensor:
    """Fill a step-size projection (..., D, R) uniformly within R^-0.5 of zero.

    Args:
        weight: Tensor whose last axis is the rank R, changed in place.

    Returns:
        The same tensor.
    """
    bound = weight.shape[-1] ** -0.5
    return weight.uniform_(-bound, bound)


@torch.no_grad()
def reset_A_log_(A_log: Tensor) -> Tensor:  # noqa: N802 - A as the papers write it
    """Fill the logarithm of the decay rates (..., N) with ln 1, ln 2, ..., ln N.

    Args:
        A_log: Tensor whose last axis is the state, changed in place.

    Returns:
        The same tensor.
    """
    states = torch.arange(1, A_log.shape[-1] + 1, dtype=A_log.dtype, device=A_log.device)
    return A_log.copy_(states.log().expand_as(A_log))
