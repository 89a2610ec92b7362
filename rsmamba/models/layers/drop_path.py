"""Stochastic depth: drop a whole residual branch of a sample while training."""

import torch
from torch import nn
from typing_extensions import override

from rsmamba.errors import OptionError


class DropPath(nn.Module):
    """Zero a branch with a probability a sample, and scale what stays.

    Source: Huang et al. 2016, "Deep networks with stochastic depth".

    Args:
        rate: Probability in [0, 1) that a sample's branch is dropped.

    Raises:
        OptionError: If the rate is outside [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            message = f"drop path rate is {rate}; give a value from 0 up to, not including, 1"
            raise OptionError(message)
        self.rate = rate

    @override
    def forward(self, branch: torch.Tensor) -> torch.Tensor:
        if not self.training or self.rate == 0.0:
            return branch
        keep = 1.0 - self.rate
        shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
        mask = torch.rand(shape, device=branch.device) < keep
        return branch * mask.to(branch.dtype).div_(keep)


def linear_rates(last: float, count: int) -> list[float]:
    """Spread drop rates linearly from 0 to the last one.

    Args:
        last: Rate of the last block.
        count: Number of blocks.

    Returns:
        One rate a block, rising.

    Example:
        >>> linear_rates(0.2, 3)
        [0.0, 0.1, 0.2]
    """
    return [last * index / max(1, count - 1) for index in range(count)]
