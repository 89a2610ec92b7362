"""The learning rate rises in a line, falls as a cosine, and stays at its floor."""

import math

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from rsmamba.train import ScheduleConfig
from rsmamba.train.schedules import learning_rate_factor

SCHEDULE = ScheduleConfig(warmup=0.2, floor=0.1)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [
        (-1.0, 1e-3),
        (0.0, 1e-3),
        (0.05, 0.25),
        (0.2, 1.0),
        (0.4, 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2),
        (0.6, 0.55),
        (1.0, 0.1),
        (2.0, 0.1),
    ],
)
def test_factor_at(progress: float, factor: float) -> None:
    assert learning_rate_factor(progress, SCHEDULE) == pytest.approx(factor)


def test_without_warm_up_it_starts_at_the_top() -> None:
    assert learning_rate_factor(0.0, ScheduleConfig(warmup=0.0)) == 1


@pytest.mark.parametrize("power", [0.9, 1.0, 2.0])
def test_poly_is_a_power_of_what_is_left(power: float) -> None:
    schedule = ScheduleConfig(kind="poly", warmup=0.2, floor=0.1, power=power)
    assert learning_rate_factor(0.1, schedule) == pytest.approx(0.5)
    assert learning_rate_factor(0.2, schedule) == 1
    assert learning_rate_factor(0.6, schedule) == pytest.approx(0.1 + 0.9 * 0.5**power)
    assert learning_rate_factor(1.0, schedule) == pytest.approx(0.1)


def test_restarts_equal_those_of_torch() -> None:
    """Periods of 15, 30 and 60 epochs, as in GeoSeg's recipe for Vaihingen."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    peer = CosineAnnealingWarmRestarts(optimiser, T_0=15, T_mult=2, eta_min=0.01)
    schedule = ScheduleConfig(kind="cosine_restarts", warmup=0.0, floor=0.01)
    for epoch in range(105):
        factor = learning_rate_factor(epoch / 105, schedule)
        assert factor == pytest.approx(peer.get_last_lr()[0], abs=1e-6), epoch
        optimiser.step()
        peer.step()
    assert learning_rate_factor(1.0, schedule) == pytest.approx(0.01)


def test_restarts_come_after_warm_up() -> None:
    schedule = ScheduleConfig(kind="cosine_restarts", warmup=0.2, periods=2, multiplier=1.0)
    assert learning_rate_factor(0.1, schedule) == pytest.approx(0.5)
    assert learning_rate_factor(0.6 - 1e-6, schedule) == pytest.approx(0.01)
    assert learning_rate_factor(0.6, schedule) == pytest.approx(1)


def test_one_period_is_the_cosine() -> None:
    one = ScheduleConfig(kind="cosine_restarts", periods=1)
    for progress in (0.0, 0.05, 0.3, 0.99, 1.0):
        assert learning_rate_factor(progress, one) == learning_rate_factor(
            progress, ScheduleConfig()
        )
