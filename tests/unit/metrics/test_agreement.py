"""Scores and calibration equal those of scikit-learn and torchmetrics on random maps."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn import metrics as sk
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_cohen_kappa,
    multiclass_f1_score,
    multiclass_jaccard_index,
)

from rsmamba.metrics import CalibrationCounter, ConfusionMatrix, Scores, compute_scores

Maps = tuple[NDArray[np.uint8], NDArray[np.uint8], int]


@pytest.fixture(params=[(2, 0), (6, 1), (17, 2)])
def maps(request: pytest.FixtureRequest) -> Maps:
    """A reference with ignored pixels and a map that is right in half of them."""
    num_classes, seed = request.param
    random = np.random.default_rng(seed)
    reference = random.integers(0, num_classes, (93, 71), dtype=np.uint8)
    prediction = random.integers(0, num_classes, (93, 71), dtype=np.uint8)
    prediction = np.where(random.random((93, 71)) < 0.5, reference, prediction)
    reference[random.random((93, 71)) < 0.2] = 255
    return reference, prediction, num_classes


def scored(maps: Maps) -> Scores:
    reference, prediction, num_classes = maps
    matrix = ConfusionMatrix(num_classes)
    matrix.add(reference, prediction)
    return compute_scores(matrix.counts)


def test_scores_equal_scikit_learn(maps: Maps) -> None:
    reference, prediction, _ = maps
    counted = reference != 255
    truth, guess = reference[counted], prediction[counted]
    scores = scored(maps)
    pairs = [
        (scores.overall_accuracy, sk.accuracy_score(truth, guess)),
        (scores.kappa, sk.cohen_kappa_score(truth, guess)),
        (scores.f1, sk.f1_score(truth, guess, average=None)),
        (scores.iou, sk.jaccard_score(truth, guess, average=None)),
        (scores.precision, sk.precision_score(truth, guess, average=None)),
        (scores.recall, sk.recall_score(truth, guess, average=None)),
        (scores.mean_f1, sk.f1_score(truth, guess, average="macro")),
        (scores.mean_iou, sk.jaccard_score(truth, guess, average="macro")),
    ]
    for ours, theirs in pairs:
        both = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        np.testing.assert_allclose(*both, rtol=0, atol=1e-12)


@pytest.fixture
def double_precision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let torchmetrics compute in double precision; it divides in the default type of torch."""
    before = torch.get_default_dtype()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("double_precision")
def test_scores_equal_torchmetrics(maps: Maps) -> None:
    reference, prediction, num_classes = maps
    truth, guess = (torch.from_numpy(array.astype(np.int64)) for array in (reference, prediction))
    scores = scored(maps)
    n = num_classes
    f1 = multiclass_f1_score(guess, truth, n, average="none", ignore_index=255)
    iou = multiclass_jaccard_index(guess, truth, n, average="none", ignore_index=255)
    accuracy = multiclass_accuracy(guess, truth, n, average="micro", ignore_index=255)
    kappa = multiclass_cohen_kappa(guess, truth, n, ignore_index=255)
    for ours, theirs in ((scores.f1, f1), (scores.iou, iou)):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-12)
    assert scores.overall_accuracy == pytest.approx(float(accuracy), abs=1e-12)
    assert scores.kappa == pytest.approx(float(kappa), abs=1e-12)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_calibration_error_equals_torchmetrics(num_bins: int) -> None:
    random = np.random.default_rng(3)
    scores = random.dirichlet(np.ones(4), size=5000)
    truth = random.integers(0, 4, 5000)
    counter = CalibrationCounter(num_bins)
    for part in np.array_split(np.arange(5000), 7):
        right = scores[part].argmax(axis=1) == truth[part]
        counter.add(scores[part].max(axis=1), right)
    theirs = multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(truth), num_classes=4, n_bins=num_bins
    )
    assert counter.result().expected_error == pytest.approx(float(theirs), abs=1e-12)
