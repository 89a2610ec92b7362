"""torchgeo's ISPRS data sets beside ours: another order of the classes, and no ignore index.

torchgeo numbers clutter 0, impervious surfaces 1, building 2, low vegetation 3, tree 4, car 5, and
turns every colour that it does not know, black boundaries included, into clutter. Ours is the order
of `classes.ISPRS_CLASSES`, clutter last, and unknown colours are refused.
"""

import torch
from torch import Tensor

from rsmamba.classes import IGNORE_INDEX, ISPRS_CLASSES
from rsmamba.errors import DataError

TORCHGEO_ISPRS_ORDER = (
    "clutter",
    "impervious surfaces",
    "building",
    "low vegetation",
    "tree",
    "car",
)


def from_torchgeo(masks: Tensor, *, ignored: Tensor | None = None) -> Tensor:
    """Turn class indices of torchgeo's Vaihingen2D and Potsdam2D into ours.

    Args:
        masks: Class indices in torchgeo's order, integers of any shape.
        ignored: True where there is no label, such as where a crop was padded; same shape.

    Returns:
        Class indices in the order of `ISPRS_CLASSES`, int64; the ignore index where ignored.

    Raises:
        DataError: If a value is no class of torchgeo.

    Example:
        >>> from_torchgeo(torch.tensor([0, 1, 5])).tolist()
        [5, 0, 4]
    """
    return _permuted(masks, _TO_OURS, ignored)


def to_torchgeo(labels: Tensor) -> Tensor:
    """Turn our class indices into those of torchgeo.

    Args:
        labels: Class indices in the order of `ISPRS_CLASSES`, integers of any shape.

    Returns:
        Class indices in torchgeo's order, int64; the ignore index stays.

    Raises:
        DataError: If a value is neither a class nor the ignore index.
    """
    ignored = labels == IGNORE_INDEX
    return _permuted(labels.where(~ignored, 0), _TO_THEIRS, ignored)


_TO_OURS = tuple(ISPRS_CLASSES.names.index(name) for name in TORCHGEO_ISPRS_ORDER)
_TO_THEIRS = tuple(TORCHGEO_ISPRS_ORDER.index(name) for name in ISPRS_CLASSES.names)


def _permuted(values: Tensor, order: tuple[int, ...], ignored: Tensor | None) -> Tensor:
    """Look up each value in the other order."""
    indices = values.long()
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < len(order):
        msg = (
            f"masks hold the values {int(indices.min())} to {int(indices.max())}; the ISPRS data "
            f"sets have the classes 0 to {len(order) - 1}"
        )
        raise DataError(msg)
    mapped = torch.tensor(order, device=indices.device)[indices]
    return mapped if ignored is None else mapped.masked_fill(ignored, IGNORE_INDEX)
