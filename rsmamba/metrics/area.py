"""Area-adjusted accuracy: what a sample of labelled pixels says about a whole map.

Source: Olofsson et al. 2014, Good practices for estimating area and assessing accuracy of land
change, Remote Sensing of Environment 148, 42-57, equations 1 to 11. The map's classes are the
strata. Their matrix has the map in rows; ours has the reference in rows, and is turned here.
Symbols: n, labelled pixels, and p, estimated shares of area, both by map class and reference class.
Standard errors hold when labelled pixels were drawn at random within each map class, independently
of each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import DataError, ShapeError

FloatArray = NDArray[np.float64]
# The paper's factor from standard error to 95 % interval.
FACTOR_95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaEstimates:
    """Estimates for the whole map, with standard errors; arrays have shape (num_classes,).

    Attributes:
        overall_accuracy: Share of the map's area whose class is right.
        overall_accuracy_se: Its standard error.
        users_accuracy: Precision of each class.
        users_accuracy_se: Its standard error.
        producers_accuracy: Recall of each class, by area.
        producers_accuracy_se: Its standard error.
        mapped_share: Share of each class in the map.
        share: Estimated share of each class in reality.
        share_se: Its standard error.
        mapped_area: Area of each class in the map, in the unit that was given.
        area: Estimated area of each class, same unit.
        area_se: Its standard error.
    """

    overall_accuracy: float
    overall_accuracy_se: float
    users_accuracy: FloatArray
    users_accuracy_se: FloatArray
    producers_accuracy: FloatArray
    producers_accuracy_se: FloatArray
    mapped_share: FloatArray
    share: FloatArray
    share_se: FloatArray
    mapped_area: FloatArray
    area: FloatArray
    area_se: FloatArray


def estimate_areas(counts: NDArray[np.integer], mapped_area: NDArray[np.number]) -> AreaEstimates:
    """Estimate accuracy and class areas from a stratified sample.

    Args:
        counts: Labelled pixels (num_classes, num_classes), rows reference, columns map.
        mapped_area: Area of each class in the whole map (num_classes,), any unit.

    Returns:
        The estimates.

    Raises:
        ShapeError: If the shapes do not belong together.
        DataError: If nothing is mapped, or a mapped class has fewer than two labelled pixels.

    Example:
        >>> estimates = estimate_areas(np.array([[8, 1], [2, 9]]), np.array([300, 700]))
        >>> estimates.share.round(2).tolist()
        [0.31, 0.69]
    """
    num_classes = len(mapped_area)
    if counts.shape != (num_classes, num_classes):
        message = (
            f"counts have shape {counts.shape} and mapped areas {mapped_area.shape}; give a square "
            "matrix and one area a class"
        )
        raise ShapeError(message)
    areas = np.asarray(mapped_area, np.float64)
    n = counts.T.astype(np.float64)  # (map, reference)
    _check_sample(n.sum(axis=1), areas)
    # A class that is not mapped has no stratum; the twos only avoid dividing by zero.
    sampled = np.where(areas > 0, n.sum(axis=1), 2.0)
    n[areas == 0] = 0.0
    weights = areas / areas.sum()
    within = n / sampled[:, None]  # share of reference classes within each map class
    spread = within * (1 - within) / (sampled[:, None] - 1)
    p = weights[:, None] * within
    share = p.sum(axis=0)
    producers = np.divide(np.diagonal(p), share, out=np.zeros(num_classes), where=share > 0)
    users_variance = np.diagonal(spread)
    weighted = weights[:, None] ** 2 * spread
    share_se = np.sqrt(weighted.sum(axis=0))
    return AreaEstimates(
        overall_accuracy=float(np.trace(p)),
        overall_accuracy_se=float(np.sqrt(np.trace(weighted))),
        users_accuracy=np.diagonal(within).copy(),
        users_accuracy_se=np.sqrt(users_variance),
        producers_accuracy=producers,
        producers_accuracy_se=_producers_error(weighted, producers=producers, share=share),
        mapped_share=weights,
        share=share,
        share_se=share_se,
        mapped_area=areas,
        area=share * areas.sum(),
        area_se=share_se * areas.sum(),
    )


def _producers_error(
    weighted: FloatArray, *, producers: FloatArray, share: FloatArray
) -> FloatArray:
    """Equation 7, divided by the square of the map's area."""
    own = np.diagonal(weighted)
    others = weighted.sum(axis=0) - own
    variance = (1 - producers) ** 2 * own + producers**2 * others
    error: FloatArray = np.divide(
        np.sqrt(variance), share, out=np.zeros_like(share), where=share > 0
    )
    return error


def _check_sample(sampled: FloatArray, areas: FloatArray) -> None:
    """Refuse samples that say nothing about a part of the map."""
    if not areas.sum() > 0:
        message = "the map has no pixel of any class; areas cannot be estimated"
        raise DataError(message)
    few = np.flatnonzero((areas > 0) & (sampled < 2))
    if few.size:
        message = (
            f"map class {int(few[0])} has {int(sampled[few[0]])} labelled pixels; areas need at "
            "least 2 in every class that the map holds"
        )
        raise DataError(message)
