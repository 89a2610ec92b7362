"""Count the multiply-adds that a network really does.

Papers leave parts out or count scans by rules of their own (``paper_flops`` of each family follows
them). Here everything that multiplies is counted: convolutions, linear layers and matrix products
by torch's own counter, and the scans by their arithmetic. One multiply-add is one; additions alone,
norms and activations are not counted, as usual.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

Module = TypeVar("Module", bound=nn.Module)

# A token of a channel: for each state the decay dt A and its exponential, the update a h + b, and
# the output C h; once, the products dt x and D x.
_SCAN_PER_STATE = 4
_SCAN_PER_TOKEN = 2


def count_multiply_adds(module: nn.Module, *, in_channels: int, height: int, width: int) -> int:
    """Count the multiply-adds of one image without computing it.

    Args:
        module: Network that takes an image (1, in_channels, height, width).
        in_channels: Bands of the image.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        Number of multiply-adds.
    """
    was_training = module.training
    first: torch.Tensor | None = next(module.parameters(), None)
    mode = (
        first.fake_mode
        if isinstance(first, FakeTensor)
        else FakeTensorMode(allow_non_fake_inputs=True)
    )
    counter = FlopCounterMode(display=False, custom_mapping=_scan_rules())
    with mode, torch.no_grad(), counter:
        module.eval()(torch.empty(1, in_channels, height, width))
    module.train(was_training)
    # The counter holds a multiplication and an addition for two.
    return int(counter.get_total_flops()) // 2


def built_without_values(build: Callable[[], Module]) -> Module:
    """Build a network whose tensors have shapes but no values.

    It costs neither time nor memory, and can be counted.

    Args:
        build: Makes the network.

    Returns:
        The network.
    """
    # First weights are drawn on the meta device, where drawing does nothing; the counting itself
    # needs tensors that say they are on the CPU, as the constants inside a network are.
    with torch.device("meta"):
        module = build()
    with FakeTensorMode(allow_non_fake_inputs=True):
        return module.to_empty(device="cpu")


def _scan_rules() -> dict[Any, Any]:
    return {
        torch.ops.rsmamba.selective_scan: _selective_scan,
        torch.ops.rsmamba.ss2d_scan: _ss2d_scan,
    }


# The counter passes the shapes of tensors in place of the tensors.
def _selective_scan(*shapes: Any, **_: Any) -> int:  # noqa: ANN401 - shapes and plain values
    (batch, groups, tokens, channels), _, A = shapes[:3]
    steps = batch * groups * tokens * channels
    return 2 * steps * (_SCAN_PER_STATE * int(A[2]) + _SCAN_PER_TOKEN)


def _ss2d_scan(*shapes: Any, **_: Any) -> int:  # noqa: ANN401 - shapes and plain values
    (batch, height, width, channels), _, (paths, _, rank), _, A = shapes[:5]
    steps = batch * height * width * channels * paths
    return 2 * steps * (rank + _SCAN_PER_STATE * int(A[2]) + _SCAN_PER_TOKEN)
