"""Learning rate as a function of how much of the run is done."""

import math

from rsmamba.train.recipe import ScheduleConfig


def learning_rate_factor(progress: float, schedule: ScheduleConfig) -> float:
    """Compute the learning rate's share of its highest value.

    Args:
        progress: Share of the run that is done; clipped to 0 to 1.
        schedule: Warm-up and floor.

    Returns:
        Factor from above 0 (start of warm-up) over 1 to the floor.

    Example:
        >>> learning_rate_factor(1.0, ScheduleConfig(warmup=0.1, floor=0.01))
        0.01
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < schedule.warmup:
        return max(progress / schedule.warmup, 1e-3)
    cosine = (progress - schedule.warmup) / (1 - schedule.warmup)
    return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * cosine)) / 2
