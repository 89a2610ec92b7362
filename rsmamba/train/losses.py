"""Segmentation losses that leave ignored pixels out, and stay finite when all are ignored.

B, K, H, W are batch, classes, height and width; N is the number of labelled pixels. All functions
take logits in any floating-point type and compute in float32.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from rsmamba.errors import OptionError
from rsmamba.train.recipe import CountedWeights, LossConfig

_DICE_SMOOTHING = 0.05
_POWERS: dict[CountedWeights, float] = {"balanced": 1.0, "sqrt_balanced": 0.5}


def dice_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    ignore_index: int = 255,
    smoothing: float = _DICE_SMOOTHING,
    over_all_classes: bool = False,
) -> Tensor:
    """Compute the soft Dice loss over the classes that the batch's labels hold.

    Sums run over the whole batch and only labelled pixels take part.

    Args:
        logits: Class scores (B, K, H, W).
        labels: Class indices or ignore index (B, H, W).
        ignore_index: Label of pixels to leave out.
        smoothing: Number added to both sides of the quotient, above 0.
        over_all_classes: Divide the sum by K, as GeoSeg does, and not by the number of present
            classes.

    Returns:
        Scalar from 0 to 1; 0 when every pixel is ignored.
    """
    counted = labels != ignore_index
    target = functional.one_hot(labels.where(counted, 0), logits.shape[1])  # (B, H, W, K)
    target = target.movedim(-1, 1) * counted[:, None]  # (B, K, H, W)
    probabilities = logits.float().softmax(dim=1) * counted[:, None]
    overlap = (probabilities * target).sum(dim=(0, 2, 3))  # (K,)
    size = probabilities.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))  # (K,)
    dice = (2 * overlap + smoothing) / (size + smoothing)
    present = target.sum(dim=(0, 2, 3)) > 0
    divisor = logits.shape[1] if over_all_classes else present.sum().clamp(min=1)
    return ((1 - dice) * present).sum() / divisor


def cross_entropy_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    ignore_index: int = 255,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    over_all_pixels: bool = False,
) -> Tensor:
    """Compute the cross entropy as a mean over labelled pixels, weighed by class.

    Args:
        logits: Class scores (B, K, H, W).
        labels: Class indices or ignore index (B, H, W).
        ignore_index: Label of pixels to leave out.
        label_smoothing: Share of the target spread over all classes.
        class_weights: Weight of each class (K,); None weighs all alike.
        over_all_pixels: Divide the sum by B * H * W, as GeoSeg does, and not by the weights of the
            labelled pixels.

    Returns:
        Scalar; 0 when no pixel has a weight.
    """
    if not over_all_pixels and not _pixel_weights(labels, class_weights, ignore_index).any():
        return logits.float().sum() * 0  # a weighted mean would be 0 / 0
    loss = functional.cross_entropy(
        logits.float(),
        labels,
        weight=class_weights,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction="sum" if over_all_pixels else "mean",
    )
    return loss / labels.numel() if over_all_pixels else loss


def focal_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Compute the focal loss (1 - p)^gamma (-log p) of the softmax probability p of the label.

    Source: "Focal Loss for Dense Object Detection" (Lin et al. 2017, arXiv 1708.02002, equation
    5), for several classes.

    Args:
        logits: Class scores (B, K, H, W).
        labels: Class indices or ignore index (B, H, W).
        ignore_index: Label of pixels to leave out.
        gamma: How much pixels that are right already lose their weight, 0 or more.
        class_weights: Weight of each class (K,); None weighs all alike.

    Returns:
        Scalar, a weighted mean over labelled pixels; 0 when no pixel has a weight.
    """
    weights = _pixel_weights(labels, class_weights, ignore_index)  # (B, H, W)
    targets = labels.where(labels != ignore_index, 0)[:, None]  # (B, 1, H, W)
    log_p = logits.float().log_softmax(dim=1).gather(1, targets)[:, 0]  # (B, H, W)
    # A power below 1 has no slope at 0, where nothing is left to learn anyway.
    missing = (1 - log_p.exp()).clamp(min=torch.finfo(torch.float32).eps)
    return (weights * missing**gamma * -log_p).sum() / _positive(weights.sum())


def lovasz_loss(logits: Tensor, labels: Tensor, *, ignore_index: int = 255) -> Tensor:
    """Compute the Lovasz-softmax loss over the classes that the batch's labels hold.

    Source: "The Lovasz-Softmax loss" (Berman et al. 2018, arXiv 1705.08790, equations 8 to 12),
    over the whole batch.

    Args:
        logits: Class scores (B, K, H, W).
        labels: Class indices or ignore index (B, H, W).
        ignore_index: Label of pixels to leave out.

    Returns:
        Scalar from 0 to 1; 0 when every pixel is ignored.
    """
    counted = labels != ignore_index
    targets = labels[counted]  # (N,)
    probabilities = logits.float().softmax(dim=1).movedim(1, -1)[counted]  # (N, K)
    losses = [
        _lovasz_of_class(probabilities[:, int(class_index)], targets == class_index)
        for class_index in torch.unique(targets)
    ]
    return torch.stack(losses).mean() if losses else probabilities.sum()


def _lovasz_of_class(probabilities: Tensor, is_class: Tensor) -> Tensor:
    """Extend the Jaccard loss of one class to its errors; both arguments are (N,)."""
    errors, order = (is_class.float() - probabilities).abs().sort(descending=True)
    wrong = is_class[order].cumsum(0)  # (N,) int64, exact for any number of pixels
    union = is_class.sum() + (~is_class[order]).cumsum(0)
    jaccard = 1 - (is_class.sum() - wrong).float() / union.float()
    slope = jaccard.diff(prepend=jaccard.new_zeros(1))
    return errors.dot(slope)


class SegmentationLoss(nn.Module):
    """Weighted sum of cross entropy, Dice, focal and Lovasz-softmax loss.

    Args:
        config: Weights, label smoothing, class weights and form.
        ignore_index: Label of pixels to leave out.
        class_counts: Training pixels of each class (K,); needed for counted class weights.

    Raises:
        OptionError: If class weights shall be counted and there are no counts.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        config: LossConfig,
        *,
        ignore_index: int = 255,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.ignore_index = ignore_index
        weights = _class_weights(config, class_counts)
        # Not in checkpoints: a resumed run counts the same labels.
        self.register_buffer("class_weights", weights, persistent=False)

    @override
    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Args:
            logits: Class scores (B, K, H, W).
            labels: Class indices or ignore index (B, H, W).

        Returns:
            Scalar; 0 with zero gradients when every pixel is ignored.
        """
        logits = logits.float()
        total = logits.sum() * 0
        if not bool((labels != self.ignore_index).any()):
            return total
        for weight, loss in self._parts(logits, labels):
            total = total + weight * loss
        return total

    def _parts(self, logits: Tensor, labels: Tensor) -> Iterator[tuple[float, Tensor]]:
        """Each loss that has a weight, with its weight."""
        config, ignore = self.config, self.ignore_index
        as_geoseg = config.form == "geoseg"
        if config.cross_entropy:
            yield (
                config.cross_entropy,
                cross_entropy_loss(
                    logits,
                    labels,
                    ignore_index=ignore,
                    label_smoothing=config.label_smoothing,
                    class_weights=self.class_weights,
                    over_all_pixels=as_geoseg,
                ),
            )
        if config.dice:
            yield (
                config.dice,
                dice_loss(
                    logits,
                    labels,
                    ignore_index=ignore,
                    smoothing=config.dice_smoothing,
                    over_all_classes=as_geoseg,
                ),
            )
        if config.focal:
            yield (
                config.focal,
                focal_loss(
                    logits,
                    labels,
                    ignore_index=ignore,
                    gamma=config.focal_gamma,
                    class_weights=self.class_weights,
                ),
            )
        if config.lovasz:
            yield config.lovasz, lovasz_loss(logits, labels, ignore_index=ignore)


def counted_weights(class_counts: Sequence[int], kind: CountedWeights) -> tuple[float, ...]:
    """Weigh classes by how rare they are.

    Args:
        class_counts: Pixels of each class, not all 0.
        kind: By one over the share of a class, or over its root.

    Returns:
        One weight a class with a mean of 1 over the pixels; 0 for a class without a pixel.

    Example:
        >>> counted_weights([90, 10], "balanced")
        (0.5555555555555556, 5.0)
    """
    counts = np.asarray(class_counts, np.float64)
    inverse = np.where(counts > 0, np.maximum(counts, 1) ** -_POWERS[kind], 0.0)
    weights = inverse * counts.sum() / (inverse * counts).sum()
    return tuple(map(float, weights))


def _class_weights(config: LossConfig, class_counts: Sequence[int] | None) -> Tensor | None:
    weights = config.class_weights
    if not isinstance(weights, str):
        return None if weights is None else torch.tensor(weights)
    if class_counts is None:
        msg = f"class_weights is {weights!r}, which needs the pixels of each class; give them"
        raise OptionError(msg)
    counted = counted_weights(class_counts, cast(CountedWeights, weights))
    return torch.tensor(counted, dtype=torch.float32)


def _pixel_weights(labels: Tensor, class_weights: Tensor | None, ignore_index: int) -> Tensor:
    """Weight of each pixel (B, H, W), 0 where it is ignored."""
    counted = labels != ignore_index
    if class_weights is None:
        return counted.float()
    return class_weights[labels.where(counted, 0)] * counted


def _positive(divisor: Tensor) -> Tensor:
    """The divisor, or 1 in place of 0."""
    return divisor.where(divisor > 0, 1.0)
