"""Losses: numbers by hand, and ignored pixels without any influence."""

import math

import pytest
import torch

from rsmamba.train import LossConfig
from rsmamba.train.losses import SegmentationLoss, dice_loss

PLAIN = LossConfig(cross_entropy=1.0, dice=0.0, label_smoothing=0.0)


def one_row(*labels: int) -> torch.Tensor:
    return torch.tensor(labels)[None, None]  # (1, 1, W)


def logits_of(*probabilities: tuple[float, ...]) -> torch.Tensor:
    """Logits (1, K, 1, W) from the probabilities of each pixel."""
    return torch.tensor(probabilities).log().T[None, :, None]


def test_dice_equals_the_one_worked_out_by_hand() -> None:
    logits = logits_of((0.8, 0.2), (0.4, 0.6))
    expected = 1 - ((1.6 + 0.05) / (1.2 + 1 + 0.05) + (1.2 + 0.05) / (0.8 + 1 + 0.05)) / 2
    assert float(dice_loss(logits, one_row(0, 1))) == pytest.approx(expected, abs=1e-6)


def test_dice_leaves_absent_classes_out() -> None:
    logits = logits_of((0.8, 0.2), (0.4, 0.6))
    expected = 1 - (2.4 + 0.05) / (1.2 + 2 + 0.05)
    assert float(dice_loss(logits, one_row(0, 0))) == pytest.approx(expected, abs=1e-6)


def test_cross_entropy_is_the_mean_over_labelled_pixels() -> None:
    logits = logits_of((0.8, 0.2), (0.4, 0.6), (0.5, 0.5))
    loss = SegmentationLoss(PLAIN)(logits, one_row(0, 1, 255))
    assert float(loss) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)


@pytest.mark.parametrize("ignore_index", [255, 7])
def test_ignored_pixels_have_no_influence(ignore_index: int) -> None:
    torch.manual_seed(0)
    loss = SegmentationLoss(LossConfig(), ignore_index=ignore_index)
    logits = torch.randn(2, 3, 4, 5, requires_grad=True)
    labels = torch.randint(0, 3, (2, 4, 5))
    labels[:, 1:3] = ignore_index
    changed = logits.detach().clone()
    changed[:, :, 1:3] = 50 * torch.randn(2, 3, 2, 5)
    value = loss(logits, labels)
    assert torch.allclose(value, loss(changed, labels))
    (gradient,) = torch.autograd.grad(value, logits)
    assert (gradient[:, :, 1:3] == 0).all()
    assert (gradient[:, :, 0] != 0).all()


@pytest.mark.parametrize("weights", [None, (0.0, 1.0)])
def test_a_batch_that_teaches_nothing_costs_nothing(weights: tuple[float, ...] | None) -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    labels = torch.full((1, 3, 3), 255 if weights is None else 0)
    loss = SegmentationLoss(LossConfig(class_weights=weights, dice=0.0))(logits, labels)
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_class_weights_weigh_the_cross_entropy() -> None:
    config = LossConfig(dice=0.0, label_smoothing=0.0, class_weights=(3.0, 1.0))
    loss = SegmentationLoss(config)(logits_of((0.8, 0.2), (0.4, 0.6)), one_row(0, 1))
    assert float(loss) == pytest.approx(-(3 * math.log(0.8) + math.log(0.6)) / 4)


def test_both_losses_are_summed_with_their_weights() -> None:
    logits, labels = logits_of((0.8, 0.2), (0.4, 0.6)), one_row(0, 1)
    config = LossConfig(cross_entropy=2.0, dice=0.5, label_smoothing=0.0)
    parts = 2 * SegmentationLoss(PLAIN)(logits, labels) + 0.5 * dice_loss(logits, labels)
    assert torch.allclose(SegmentationLoss(config)(logits, labels), parts)
