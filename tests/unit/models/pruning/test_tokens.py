"""Scores, and which tokens they keep."""

from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.models.pruning.config import PruningConfig, Score
from rsmamba.models.pruning.tokens import (
    gaps_between,
    importance,
    kept_tokens,
    prune,
    select,
    watched_pruning,
)


def test_scores_join_the_channels() -> None:
    outputs = torch.tensor([[[3.0, -4.0], [1.0, 1.0]]])
    expected: dict[Score, list[float]] = {
        "clip": [1.5, 1.0],
        "l1": [7.0, 2.0],
        "l2": [5.0, 2**0.5],
        "sum": [-1.0, 2.0],
    }
    for score, values in expected.items():
        torch.testing.assert_close(importance(outputs, score), torch.tensor([values]))


@pytest.mark.parametrize("score", get_args(Score))
def test_the_ranking_survives_scaling(score: Score) -> None:
    outputs = torch.randn(2, 30, 8)
    first, second = (select(importance(s * outputs, score), None, keep=9) for s in (1.0, 37.0))
    assert torch.equal(first.kept.index, second.kept.index)


def test_the_best_are_kept_in_their_order() -> None:
    scores = torch.tensor([[0.3, 0.9, 0.1, 0.8], [0.5, 0.1, 0.6, 0.2]])
    assert select(scores, None, keep=2).kept.index.tolist() == [[1, 3], [0, 2]]


def test_class_tokens_stay_in_every_image_and_nothing_is_doubled() -> None:
    """Also in the second image, and after a first selection."""
    config = PruningConfig(layers=(1,), ratio=0.5)
    outputs = torch.rand(4, 41, 6)
    outputs[:, 20] = -1
    kept = None
    for count in (21, 11, 5):
        selection = prune(outputs, kept, config=config, always=[20])
        assert selection is not None
        kept, outputs = selection.kept, selection.among.of(outputs)
        assert kept.index.shape == (4, count)
        assert (kept.index.diff(dim=1) > 0).all()
        assert (kept.index == 20).sum(dim=1).tolist() == [1] * 4
        assert (outputs.amax(dim=2)[torch.arange(4), kept.find(20)] == -1).all()


def test_ratio_one_prunes_nothing() -> None:
    assert prune(torch.rand(1, 7, 3), None, config=PruningConfig(layers=(1,), ratio=1)) is None


def test_tokens_go_back_to_their_places() -> None:
    kept = kept_tokens(torch.tensor([[1, 3], [0, 4]]), length=5)
    full, new = torch.arange(20.0).view(2, 5, 2), -torch.ones(2, 2, 2)
    assert kept.of(full)[..., 0].tolist() == [[2, 6], [10, 18]]
    assert kept.put_into(full, new)[..., 0].tolist() == [[0, -1, 4, -1, 8], [-1, 12, 14, 16, -1]]
    assert kept.among_zeros(new)[..., 1].tolist() == [[0, -1, 0, -1, 0], [-1, 0, 0, 0, -1]]
    assert kept.flipped().index.tolist() == [[1, 3], [0, 4]]
    assert kept.flipped().of(full.flip(1))[..., 0].tolist() == [[6, 2], [18, 10]]


def test_gaps_count_what_is_missing_between() -> None:
    places = torch.tensor([[2, 3, 7], [0, 4, 5]])
    assert gaps_between(places).tolist() == [[0, 0, 3], [0, 3, 0]]


def test_no_gradient_flows_through_the_score() -> None:
    outputs: Tensor = functional.relu(torch.randn(1, 4, 2, requires_grad=True))
    assert not importance(outputs, "clip").requires_grad


def test_a_watcher_sees_every_pruning_step_of_its_time_only() -> None:
    config = PruningConfig(layers=(1,), ratio=0.5)
    with watched_pruning() as seen:
        first = prune(torch.rand(1, 8, 3), None, config=config)
        assert first is not None
        prune(torch.rand(1, 4, 3), first.kept, config=config)
    prune(torch.rand(1, 8, 3), None, config=config)
    assert [kept.index.shape[1] for kept in seen] == [4, 2]
    assert torch.isin(seen[1].index, seen[0].index).all()
