"""The learning rate rises in a line, falls as a cosine, and stays at its floor."""

import math

import pytest

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
