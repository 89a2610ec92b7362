"""The network runs in one place, and its views are exact."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

from rsmamba.errors import NetworkError
from rsmamba.prediction.augment import VIEWS, averaged_scores
from rsmamba.prediction.config import TestTimeAugmentation
from rsmamba.prediction.scoring import TileScorer, device_of, relative_scores

Lab = Any


def tile(height: int = 5, width: int = 7) -> torch.Tensor:
    return torch.arange(2.0 * height * width).reshape(1, 2, height, width)


@pytest.mark.parametrize("tta", ["none", "flips", "d4"])
def test_every_view_is_undone_exactly(tta: TestTimeAugmentation) -> None:
    for view in VIEWS[tta]:
        assert torch.equal(view.undo(view.apply(tile())), tile())


@pytest.mark.parametrize(("tta", "count"), [("none", 1), ("flips", 4), ("d4", 8)])
def test_all_views_of_a_square_are_different(tta: TestTimeAugmentation, count: int) -> None:
    images = {view.apply(tile(4, 4)).numpy().tobytes() for view in VIEWS[tta]}
    assert len(images) == count


def test_scores_are_averaged_over_the_views_with_their_masks() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 0, 3] = True

    def score(pixels: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        assert valid is not None
        assert torch.equal(pixels[:, 0] == 3, valid)
        # The first column of what the network sees scores one.
        scores = torch.zeros(1, 1, *pixels.shape[-2:])
        scores[..., 0] = 1
        return scores

    mean = averaged_scores(score, tile(4, 4), mask, tta="d4")
    corner, edge = 0.5, 0.25
    expected = torch.zeros(4, 4)
    expected[[0, 0, 3, 3], [0, 3, 0, 3]] = corner
    expected[1:3, [0, 3]] = edge
    expected[[0, 3], 1:3] = edge
    assert torch.equal(mean[0, 0], expected)


def test_relative_scores_are_probabilities_less_the_best() -> None:
    torch.manual_seed(0)
    logits = 5 * torch.randn(2, 6, 9, 9)
    probabilities = torch.softmax(logits.double(), dim=1)
    expected = probabilities - probabilities.amax(dim=1, keepdim=True)
    torch.testing.assert_close(relative_scores(logits).double(), expected, atol=3e-7, rtol=1e-6)


def test_infinitely_small_logits_are_fine_and_infinitely_large_ones_are_not(lab: Lab) -> None:
    pixels, valid = np.zeros((1, 1, 4, 4), dtype=np.float32), np.ones((1, 4, 4), dtype=bool)
    scorer = TileScorer(lab.constant_model(0.0, -torch.inf))
    np.testing.assert_array_equal(scorer.score(pixels, valid)[0, :, 0, 0], [0, -1])
    with pytest.raises(NetworkError, match="NaN or infinity for pixel values of 0 to 0"):
        TileScorer(lab.constant_model(0.0, torch.inf)).score(pixels, valid)


def test_the_cpu_computes_tile_by_tile(lab: Lab) -> None:
    model = lab.constant_model(0.0, 1.0)
    pixels, valid = np.zeros((3, 1, 4, 4), dtype=np.float32), np.ones((3, 4, 4), dtype=bool)
    assert TileScorer(model).score(pixels, valid).shape == (3, 2, 4, 4)
    assert model.network.calls == [1, 1, 1]


def test_mixed_precision_changes_scores_little(lab: Lab) -> None:
    model = lab.convolution_model()
    pixels = 255 * np.random.default_rng(0).random((1, 1, 32, 32), dtype=np.float32)
    valid = np.ones((1, 32, 32), dtype=bool)
    full, mixed = (TileScorer(model, amp=amp).score(pixels, valid) for amp in (False, True))
    difference = np.abs(full - mixed).max()
    assert 0 < difference < 0.02


def test_a_module_without_tensors_is_on_the_cpu() -> None:
    assert device_of(nn.Identity()) == torch.device("cpu")


class Hungry(nn.Module):
    """Has memory for two tiles."""

    @override
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError


def test_too_little_memory_is_said_with_the_way_out(lab: Lab) -> None:
    from rsmamba.errors import DeviceError

    scorer = TileScorer(lab.model(Hungry(), num_classes=2))
    pixels, valid = np.zeros((1, 1, 4, 6), dtype=np.float32), np.ones((1, 4, 6), dtype=bool)
    with pytest.raises(DeviceError, match="no memory left for 1 tiles of 6 x 4 px; give a smaller"):
        scorer.score(pixels, valid)
