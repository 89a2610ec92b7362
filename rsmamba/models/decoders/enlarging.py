"""Bring a coarse map to the grid of a finer one."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def enlarge(features: Tensor, *, factor: int, size: Sequence[int]) -> Tensor:
    """Enlarge a map bilinearly by a factor and crop it at the bottom and right.

    Maps cover an image from its top left corner, and the last pixels of a map whose side was
    rounded up lie partly outside of it. Stretching such a map to the size wanted would shift what
    is at the bottom and right by up to a pixel of the map; cropping keeps everything in place. A
    map that the factor does not bring to the size is stretched to it.

    Args:
        features: Map (B, C, h, w).
        factor: Pixels of the result for one pixel of the map.
        size: Height and width of the result.

    Returns:
        Map (B, C, *size).

    Example:
        >>> import torch
        >>> enlarge(torch.zeros(1, 2, 25, 33), factor=4, size=(97, 131)).shape
        torch.Size([1, 2, 97, 131])
    """
    height, width = size
    rows, cols = (side * factor for side in features.shape[-2:])
    surplus = (rows - height, cols - width)
    if min(surplus) < 0 or max(surplus) >= factor:
        rows, cols = height, width
    if (rows, cols) != tuple(features.shape[-2:]):
        features = functional.interpolate(
            features, size=(rows, cols), mode="bilinear", align_corners=False
        )
    return features[..., :height, :width]
