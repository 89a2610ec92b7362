"""Pad an image to the network's input multiple, and crop the answer back."""

import torch
from torch.nn import functional


def pad_to_multiple(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad the bottom and right sides up to a multiple.

    The padding mirrors the image; where the image is too small to be mirrored that far, its last
    row or column is repeated.

    Args:
        image: Image of shape (B, C, H, W).
        multiple: Number that both sides of the result are divisible by.

    Returns:
        Image of shape (B, C, H', W') whose top left corner is the input; the input itself when
        nothing is missing.

    Example:
        >>> pad_to_multiple(torch.zeros(1, 3, 30, 64), 32).shape
        torch.Size([1, 3, 32, 64])
    """
    height, width = image.shape[-2:]
    missing_rows = -height % multiple
    missing_cols = -width % multiple
    if missing_rows:
        image = functional.pad(image, (0, 0, 0, missing_rows), _mode(missing_rows, height))
    if missing_cols:
        image = functional.pad(image, (0, missing_cols, 0, 0), _mode(missing_cols, width))
    return image


def _mode(missing: int, side: int) -> str:
    # Mirroring repeats no edge pixel, so it can add at most side - 1 pixels.
    return "reflect" if missing < side else "replicate"
