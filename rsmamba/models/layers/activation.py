"""Nonlinearities by name, as configurations choose them."""

from typing import Literal

from torch import nn

Activation = Literal["silu", "gelu", "relu", "sigmoid"]

_MODULES: dict[Activation, type[nn.Module]] = {
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
}


def make_activation(name: Activation) -> nn.Module:
    """Make a nonlinearity without parameters.

    Args:
        name: Which one; "gelu" is the exact form by the error function.

    Returns:
        A module that keeps the shape of its input.
    """
    return _MODULES[name]()
