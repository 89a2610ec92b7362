"""Operations of a VMamba classifier by the rule of its paper.

Source: `VSSM.flops` and `flops_selective_scan_fn` of MzeroMiko/VMamba at 2ed52ea, which extend
fvcore's counter: a multiply-add is one operation in convolutions, linear layers and projections; a
LayerNorm takes five for each value; a scan takes 9 L D N + L D for each path; activations, sums
and reorderings are free.
"""

import torch
from torch import nn

from rsmamba.models.encoders.vmamba.config import Config
from rsmamba.models.encoders.vmamba.network import VMambaClassifier
from rsmamba.models.encoders.vmamba.resolution import OverlappingPatchEmbed
from rsmamba.models.layers.ss2d import SS2D

NORM_OPERATIONS = 5
SCAN_OPERATIONS = 9


def paper_flops(
    config: Config, *, height: int, width: int, num_classes: int, in_channels: int = 3
) -> float:
    """Count the operations for one image.

    Args:
        config: Size and choices of the network.
        height: Rows of the image.
        width: Columns of the image.
        num_classes: Channels of the logits.
        in_channels: Bands of the image.

    Returns:
        Operations, a multiply-add counting once.
    """
    with torch.device("meta"):
        network = VMambaClassifier(config, in_channels=in_channels, num_classes=num_classes)
    sides = (height, width)
    total = 0.0
    patches = network.stem.patches
    if isinstance(patches, OverlappingPatchEmbed):
        sides = _halved_by_patch(config, sides)
        total += _a_pixel(patches.proj, patches.norm) * sides[0] * sides[1]
        sides = _halved_by_patch(config, sides)
        total += _a_pixel(patches.proj2, patches.norm2) * sides[0] * sides[1]
    else:
        sides = (height // config.patch_size, width // config.patch_size)
        total += _a_pixel(network.stem) * sides[0] * sides[1]
    for index, stage in enumerate(network.stages):
        if index:
            odd = 0 if config.downsample_version == "v2" else 1
            sides = ((sides[0] + odd) // 2, (sides[1] + odd) // 2)
        total += _a_pixel(stage) * sides[0] * sides[1]
    total += _a_pixel(network.norm) * sides[0] * sides[1]
    return total + _a_pixel(network.head)


def _halved_by_patch(config: Config, sides: tuple[int, int]) -> tuple[int, int]:
    """Sides behind one of the two overlapping convolutions."""
    stride = config.patch_size // 2
    rows, cols = ((side + 2 - (stride + 1)) // stride + 1 for side in sides)
    return rows, cols


def _a_pixel(*modules: nn.Module) -> float:
    """Operations for each pixel of the result, of everything inside the modules."""
    total = 0.0
    for layer in (layer for module in modules for layer in module.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            total += layer.weight.numel()
        elif isinstance(layer, nn.LayerNorm):
            total += NORM_OPERATIONS * layer.weight.numel()
        elif isinstance(layer, SS2D):
            total += layer.x_proj_weight.numel() + layer.dt_projs_weight.numel()
            total += SCAN_OPERATIONS * layer.A_logs.numel() + layer.Ds.numel()
    return total
