"""Losses against other libraries' and plain loops, with ignored pixels and odd batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from segmentation_models_pytorch import losses as peers
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from rsmamba.errors import OptionError
from rsmamba.train import LossConfig
from rsmamba.train.losses import (
    SegmentationLoss,
    counted_weights,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    lovasz_loss,
)

ONLY: dict[str, Any] = {"cross_entropy": 0.0, "dice": 0.0}
PARTS = [
    LossConfig(),
    LossConfig(form="geoseg"),
    LossConfig(**ONLY, focal=1.0, class_weights=(0.5, 1.0, 2.0, 1.0)),
    LossConfig(**ONLY, focal=1.0, focal_gamma=0.5),
    LossConfig(**ONLY, lovasz=1.0),
    LossConfig(cross_entropy=0.5, dice=0.3, focal=0.2, lovasz=0.1),
]


def a_batch(*, ignore_index: int = 255, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Logits (2, 4, 5, 7) and labels without the last class, a third of them ignored."""
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(2, classes, 5, 7, generator=generator)
    labels = torch.randint(0, classes - 1, (2, 5, 7), generator=generator)
    labels[torch.rand(2, 5, 7, generator=generator) < 0.3] = ignore_index
    return logits.requires_grad_(), labels


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(loss, logits)[0]


@pytest.mark.parametrize("ignore_index", [255, 3])
def test_geoseg_form_equals_the_losses_that_geoseg_uses(ignore_index: int) -> None:
    logits, labels = a_batch(ignore_index=ignore_index)
    soft = peers.SoftCrossEntropyLoss(smooth_factor=0.05, ignore_index=ignore_index)
    # The peer halves both sides of the quotient (Tversky's form), so its smoothing counts twice.
    dice = peers.DiceLoss(mode="multiclass", smooth=0.05 / 2, ignore_index=ignore_index)
    expected = soft(logits, labels) + dice(logits, labels)
    ours = SegmentationLoss(LossConfig(form="geoseg"), ignore_index=ignore_index)(logits, labels)
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    assert torch.allclose(gradient(ours, logits), gradient(expected, logits), atol=1e-8)


def test_forms_differ_by_what_they_divide_by() -> None:
    logits, labels = a_batch()
    counted = (labels != 255).float().mean()
    mean = cross_entropy_loss(logits, labels, label_smoothing=0.05)
    over_all = cross_entropy_loss(logits, labels, label_smoothing=0.05, over_all_pixels=True)
    assert torch.allclose(over_all, mean * counted)
    assert torch.allclose(
        dice_loss(logits, labels, over_all_classes=True), dice_loss(logits, labels) * 3 / 4
    )


def test_lovasz_equals_another_implementation() -> None:
    logits, labels = a_batch()
    expected = peers.LovaszLoss("multiclass", ignore_index=255)(logits, labels)
    ours = lovasz_loss(logits, labels)
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    assert torch.allclose(gradient(ours, logits), gradient(expected, logits), atol=1e-8)


def test_lovasz_of_hard_answers_is_one_minus_the_mean_iou() -> None:
    labels = torch.tensor([[[0, 0, 0, 1, 1, 255]]])
    answers = torch.tensor([[[0, 0, 1, 1, 0, 1]]])
    logits = 1e3 * torch.nn.functional.one_hot(answers, 2).movedim(-1, 1).float()
    assert float(lovasz_loss(logits, labels)) == pytest.approx(1 - (2 / 4 + 1 / 3) / 2)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_equals_a_loop(gamma: float) -> None:
    logits, labels = a_batch()
    weights = [0.5, 1.0, 2.0, 9.0]
    scores = np.exp(logits.detach().double().numpy())
    total = divisor = 0.0
    for image, row, col in zip(*np.nonzero(labels.numpy() != 255), strict=True):
        label = int(labels[image, row, col])
        p = scores[image, label, row, col] / scores[image, :, row, col].sum()
        total -= weights[label] * (1 - p) ** gamma * np.log(p)
        divisor += weights[label]
    ours = focal_loss(logits, labels, gamma=gamma, class_weights=torch.tensor(weights))
    assert float(ours.detach()) == pytest.approx(total / divisor, rel=1e-5)


def test_focal_loss_without_gamma_is_the_cross_entropy() -> None:
    logits, labels = a_batch()
    assert torch.allclose(focal_loss(logits, labels, gamma=0), cross_entropy_loss(logits, labels))


@pytest.mark.parametrize("config", PARTS)
def test_no_loss_looks_at_ignored_pixels(config: LossConfig) -> None:
    logits, labels = a_batch()
    loss = SegmentationLoss(config)
    ignored = (labels == 255)[:, None].expand_as(logits)
    changed = logits.detach().masked_fill(ignored, 40.0)
    assert torch.equal(loss(logits, labels), loss(changed, labels))
    assert (gradient(loss(logits, labels), logits)[ignored] == 0).all()


@pytest.mark.parametrize("config", PARTS)
def test_a_batch_without_a_label_has_no_loss_and_no_gradient(config: LossConfig) -> None:
    logits, labels = a_batch()
    loss = SegmentationLoss(config)(logits, torch.full_like(labels, 255))
    assert float(loss.detach()) == 0
    assert (gradient(loss, logits) == 0).all()


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy_loss, focal_loss, lovasz_loss])
def test_each_loss_alone_is_0_without_a_label(loss: Callable[..., Tensor]) -> None:
    logits, labels = a_batch()
    value = loss(logits, torch.full_like(labels, 255))
    assert float(value.detach()) == 0
    assert (gradient(value, logits) == 0).all()


@pytest.mark.parametrize("config", PARTS)
@pytest.mark.parametrize("size", [0.0, 200.0])
def test_sure_and_unsure_answers_have_finite_gradients(config: LossConfig, size: float) -> None:
    logits, labels = a_batch()
    logits = (logits.detach().sign() * size).requires_grad_()
    loss = SegmentationLoss(config)(logits, labels)
    assert bool(loss.isfinite())
    assert bool(gradient(loss, logits).isfinite().all())


@pytest.mark.parametrize("config", PARTS)
def test_half_precision_logits_are_computed_in_single(config: LossConfig) -> None:
    logits, labels = a_batch()
    half = logits.detach().bfloat16()
    loss = SegmentationLoss(config)(half, labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, SegmentationLoss(config)(half.float(), labels))


def test_balanced_weights_equal_those_of_scikit_learn() -> None:
    labels = np.repeat([0, 1, 2], [70, 25, 5])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert counted_weights([70, 25, 5], "balanced") == pytest.approx(expected)
    assert counted_weights([16, 4, 1], "sqrt_balanced") == pytest.approx([3 / 4, 3 / 2, 3])
    assert counted_weights([90, 0, 10], "balanced") == pytest.approx([100 / 180, 0, 5])


def test_counted_weights_need_counts() -> None:
    config = LossConfig(class_weights="balanced")
    loss = SegmentationLoss(config, class_counts=[30, 10])
    assert loss.class_weights is not None
    assert loss.class_weights.tolist() == pytest.approx([2 / 3, 2.0])
    with pytest.raises(OptionError, match=r"class_weights is 'balanced', which needs the pixels"):
        SegmentationLoss(config)
