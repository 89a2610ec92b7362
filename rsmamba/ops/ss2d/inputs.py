"""The tensors of an SS2D scan, as every kernel takes them."""

from typing import NamedTuple

from torch import Tensor


class Ss2dInputs(NamedTuple):
    """The tensors of an SS2D scan; also the shape of its gradients.

    Attributes:
        x: Feature map, (B, H, W, D).
        projections: Low-rank step size, input and output terms, (B, H, W, K, R + 2N).
        dt_weight: Step-size projection, (K, D, R).
        dt_bias: Bias of the step size, (K, D).
        A: State decay rates, negative, (K, D, N).
        D: Skip terms, (K, D).
    """

    x: Tensor
    projections: Tensor
    dt_weight: Tensor
    dt_bias: Tensor
    A: Tensor
    D: Tensor
