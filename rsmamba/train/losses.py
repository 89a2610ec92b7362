"""Segmentation losses that leave ignored pixels out, and stay finite when all are ignored."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.train.config import LossConfig

_DICE_SMOOTH = 0.05


def dice_loss(logits: Tensor, labels: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Compute the soft Dice loss over the classes that the batch's labels hold.

    Sums run over the whole batch. Only counted pixels take part and only present classes enter the
    mean; GeoSeg's form differs by dividing by all classes.

    Args:
        logits: Class scores (B, K, H, W).
        labels: Class indices or ignore index (B, H, W).
        ignore_index: Label of pixels to leave out.

    Returns:
        Scalar from 0 to 1; 0 when every pixel is ignored.
    """
    counted = labels != ignore_index
    target = functional.one_hot(labels.where(counted, 0), logits.shape[1])  # (B, H, W, K)
    target = target.movedim(-1, 1) * counted[:, None]  # (B, K, H, W)
    probabilities = logits.softmax(dim=1) * counted[:, None]
    overlap = (probabilities * target).sum(dim=(0, 2, 3))  # (K,)
    size = probabilities.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))  # (K,)
    dice = (2 * overlap + _DICE_SMOOTH) / (size + _DICE_SMOOTH)
    present = target.sum(dim=(0, 2, 3)) > 0
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


class SegmentationLoss(nn.Module):
    """Weighted sum of cross entropy and Dice.

    Args:
        config: Weights, label smoothing and class weights.
        ignore_index: Label of pixels to leave out.
    """

    def __init__(self, config: LossConfig, *, ignore_index: int = 255) -> None:
        super().__init__()
        self.config = config
        self.ignore_index = ignore_index
        weights = None if config.class_weights is None else torch.tensor(config.class_weights)
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", weights, persistent=False)

    @override
    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Args:
            logits: Class scores (B, K, H, W).
            labels: Class indices or ignore index (B, H, W).

        Returns:
            Scalar; 0 when every pixel is ignored.
        """
        logits = logits.float()
        total = logits.sum() * 0
        if not bool((labels != self.ignore_index).any()):
            return total
        if self.config.cross_entropy and self._is_weighed(labels):
            total = total + self.config.cross_entropy * functional.cross_entropy(
                logits,
                labels,
                weight=self.class_weights,
                ignore_index=self.ignore_index,
                label_smoothing=self.config.label_smoothing,
            )
        if self.config.dice:
            total = total + self.config.dice * dice_loss(
                logits, labels, ignore_index=self.ignore_index
            )
        return total

    def _is_weighed(self, labels: Tensor) -> bool:
        """False where all labels have weight 0, whose weighted mean would be NaN."""
        if self.class_weights is None:
            return True
        return bool(self.class_weights[labels[labels != self.ignore_index]].any())
