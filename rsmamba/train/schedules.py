"""Learning rate as a function of how much of the run is done."""

import math

from rsmamba.train.recipe import ScheduleConfig


def learning_rate_factor(progress: float, schedule: ScheduleConfig) -> float:
    """Compute the learning rate's share of its highest value.

    Args:
        progress: Share of the run that is done; clipped to 0 to 1.
        schedule: Kind, warm-up and floor.

    Returns:
        Factor from above 0 (start of warm-up) over 1 to the floor.

    Example:
        >>> learning_rate_factor(1.0, ScheduleConfig(warmup=0.1, floor=0.01))
        0.01
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < schedule.warmup:
        return max(progress / schedule.warmup, 1e-3)
    done = (progress - schedule.warmup) / (1 - schedule.warmup)
    return schedule.floor + (1 - schedule.floor) * _height(done, schedule)


def _height(done: float, schedule: ScheduleConfig) -> float:
    """Height between floor and top, 0 to 1, when a share of the way after warm-up is done."""
    if schedule.kind == "poly":
        return float((1 - done) ** schedule.power)
    if schedule.kind == "cosine_restarts":
        done = _share_of_period(done, schedule)
    return (1 + math.cos(math.pi * done)) / 2


def _share_of_period(done: float, schedule: ScheduleConfig) -> float:
    """How much of its own period is done, 0 to 1; 1 only at the end of the last."""
    lengths = [schedule.multiplier**index for index in range(schedule.periods)]
    position = done * sum(lengths)
    # Rounding must not put the first step of a period at the end of the one before.
    rounding = 1e-9 * sum(lengths)
    for length in lengths[:-1]:
        if position < length - rounding:
            return max(position, 0.0) / length
        position -= length
    return min(max(position, 0.0) / lengths[-1], 1.0)
