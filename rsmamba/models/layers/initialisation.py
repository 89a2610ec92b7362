"""First values that several networks give to the same kind of layer."""

from torch import nn


def initialise_linear(module: nn.Module) -> None:
    """Start a linear layer as Swin and VMamba do; leave every other module as it is.

    Weights come from a normal distribution of deviation 0.02, cut off at +-2; biases are zero.
    Made for ``network.apply``.

    Args:
        module: Module that is changed in place if it is linear.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
