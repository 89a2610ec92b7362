"""Test-time augmentation: the network sees a tile turned and mirrored, the scores are averaged.

Axes: B tiles, C bands, K classes, H rows, W columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from rsmamba.prediction.config import TestTimeAugmentation

Score = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One way to look at a tile: transpose first, then mirror.

    Attributes:
        transposed: Rows and columns change places.
        flipped: Axes that are mirrored: -2 rows, -1 columns.
    """

    transposed: bool = False
    flipped: tuple[int, ...] = ()

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """Turn an image.

        Args:
            image: Anything (..., H, W).

        Returns:
            The turned image (..., H, W), or (..., W, H) if transposed.
        """
        turned = image.transpose(-2, -1) if self.transposed else image
        return turned.flip(self.flipped) if self.flipped else turned

    def undo(self, image: torch.Tensor) -> torch.Tensor:
        """Turn an image back.

        Args:
            image: What ``apply`` returned, or scores of the same size.

        Returns:
            The image as it was.
        """
        turned = image.flip(self.flipped) if self.flipped else image
        return turned.transpose(-2, -1) if self.transposed else turned


_FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
VIEWS: dict[TestTimeAugmentation, tuple[View, ...]] = {
    "none": (View(),),
    "flips": tuple(View(flipped=flipped) for flipped in _FLIPS),
    "d4": tuple(
        View(transposed=transposed, flipped=flipped)
        for transposed in (False, True)
        for flipped in _FLIPS
    ),
}


def averaged_scores(
    score: Score, pixels: torch.Tensor, valid: torch.Tensor | None, *, tta: TestTimeAugmentation
) -> torch.Tensor:
    """Average the scores over all views of some tiles, one view after the other.

    Args:
        score: Maps pixels (B, C, H, W) and a valid mask (B, H, W) to scores (B, K, H, W).
        pixels: Pixels (B, C, H, W).
        valid: Valid mask (B, H, W), or None if every pixel is valid.
        tta: Which views.

    Returns:
        Mean scores (B, K, H, W).
    """
    first, *others = VIEWS[tta]
    total = first.undo(score(first.apply(pixels), _turned(first, valid)))
    for view in others:
        total += view.undo(score(view.apply(pixels), _turned(view, valid)))
    return total.div_(1 + len(others)) if others else total


def _turned(view: View, valid: torch.Tensor | None) -> torch.Tensor | None:
    return None if valid is None else view.apply(valid)
