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
    return pad_to_size(image, height=height + -height % multiple, width=width + -width % multiple)


def pad_to_size(image: torch.Tensor, *, height: int, width: int) -> torch.Tensor:
    """Pad the bottom and right sides up to a size, as ``pad_to_multiple`` does.

    Args:
        image: Image of shape (B, C, H, W).
        height: Rows of the result, at least H.
        width: Columns of the result, at least W.

    Returns:
        Image of shape (B, C, height, width); the input itself when nothing is missing.
    """
    missing_rows = height - image.shape[-2]
    missing_cols = width - image.shape[-1]
    if missing_rows:
        mode = _mode(missing_rows, image.shape[-2])
        image = functional.pad(image, (0, 0, 0, missing_rows), mode)
    if missing_cols:
        mode = _mode(missing_cols, image.shape[-1])
        image = functional.pad(image, (0, missing_cols, 0, 0), mode)
    return image


def _mode(missing: int, side: int) -> str:
    # Mirroring repeats no edge pixel, so it can add at most side - 1 pixels.
    return "reflect" if missing < side else "replicate"
