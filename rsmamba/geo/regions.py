"""Regions: pixels of one class that touch by their sides, and the sieve that dissolves small ones.

Axes: rows, then columns. Label 0 is what has no class.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rsmamba.geo.kinds import NODATA

ClassArray = NDArray[np.uint8]
LabelArray = NDArray[np.int32]
# What a round changes lets larger regions reach further; a fourth finds hardly anything.
_ROUNDS = 3


def label_regions(classes: ClassArray) -> tuple[LabelArray, ClassArray]:
    """Number the regions of a class map.

    Args:
        classes: Class indices ``(h, w)``, 255 where there is none.

    Returns:
        Labels ``(h, w)`` from 1, and the class of each label, 255 for label 0.

    Example:
        >>> label_regions(np.array([[1, 1, 255], [0, 1, 1]], dtype=np.uint8))[0].tolist()
        [[2, 2, 0], [1, 2, 2]]
    """
    labels: LabelArray = np.zeros(classes.shape, dtype=np.int32)
    of_label = [np.array([NODATA], dtype=np.uint8)]
    first = 0
    for class_index in np.flatnonzero(np.bincount(classes.ravel(), minlength=256)[:NODATA]):
        found, count = ndimage.label(classes == class_index, output=np.int32)
        np.add(found, first, out=labels, where=found > 0)
        of_label.append(np.full(count, class_index, dtype=np.uint8))
        first += count
    return labels, np.concatenate(of_label)


def reach_of_sieve(min_pixels: int) -> int:
    """Return how far away a pixel can matter to ``sieve``.

    Args:
        min_pixels: Pixels of the smallest region that stays.

    Returns:
        Rows or columns.
    """
    return _ROUNDS * (2 * min_pixels + 1) if min_pixels > 1 else 0


def sieve(classes: ClassArray, *, min_pixels: int) -> ClassArray:
    """Give small regions the class that they share the longest border with.

    Only neighbours that are not small themselves count, so small regions are eaten from outside, in
    three rounds; where no large region is near, they stay. Regions without a class neither change
    nor count. Among equally long borders the class with the lowest index wins.

    Args:
        classes: Class indices ``(h, w)``, 255 where there is none.
        min_pixels: Pixels of the smallest region that stays.

    Returns:
        Class indices ``(h, w)``.

    Example:
        >>> classes = np.array([[0, 0, 1], [0, 2, 1], [0, 1, 1]], dtype=np.uint8)
        >>> sieve(classes, min_pixels=2).tolist()
        [[0, 0, 1], [0, 0, 1], [0, 1, 1]]
    """
    for _ in range(_ROUNDS):
        labels, of_label = label_regions(classes)
        is_small = np.bincount(labels.ravel(), minlength=len(of_label)) < min_pixels
        is_small[0] = False
        changed = _best_neighbours(labels, of_label, is_small=is_small)
        if (changed == of_label).all():
            break
        classes = changed[labels]
    return classes


def _best_neighbours(
    labels: LabelArray, of_label: ClassArray, *, is_small: NDArray[np.bool_]
) -> ClassArray:
    """Return the new class of each label."""
    pairs = [
        (one.ravel()[differ], other.ravel()[differ])
        for first, second in ((labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:]))
        for one, other in ((first, second), (second, first))
        if (differ := (first != second).ravel()).any()
    ]
    changed = of_label.copy()
    if not pairs:
        return changed
    inside, outside = (np.concatenate(part) for part in zip(*pairs, strict=True))
    counts = is_small[inside] & ~is_small[outside] & (outside > 0)
    keys, lengths = np.unique(
        inside[counts].astype(np.int64) * 256 + of_label[outside[counts]], return_counts=True
    )
    # The longest border of a label comes last, and among equal ones the lowest class.
    order = np.lexsort((-(keys % 256), lengths, keys // 256))
    changed[keys[order] // 256] = keys[order] % 256
    return changed
