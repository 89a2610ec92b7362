"""Seam rules: which class a pixel gets where maps overlap.

Axes: classes and confidence are ``(h, w)``; 255 is no class and never replaces one.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from rsmamba.errors import OptionError
from rsmamba.geo.kinds import NODATA, SCORE_STEPS
from rsmamba.geo.window import Window

UInt8Array = NDArray[np.uint8]
Rule = Literal["first", "last", "confidence", "majority"]
SEAMS: Mapping[Rule, str] = {
    "first": "the first map in the order of the inputs that has a class there",
    "last": "the last map in the order of the inputs that has a class there",
    "confidence": "the map with the highest confidence there; the first in the order of the inputs "
    "among equal ones",
    "majority": "the class that most maps have there; among equally common ones that of the first "
    "map in the order of the inputs",
}
# One more map counts more than any place in the order; both fit 64 bits.
_ONE_MAP = np.uint64(2**32)


class Joiner(Protocol):
    """Takes maps in the order of the rule, and knows what comes out."""

    @property
    def is_full(self) -> bool:
        """True if further maps change nothing."""

    def add(self, window: Window, classes: UInt8Array, confidence: NDArray[Any] | None) -> None:
        """Take a map.

        Args:
            window: The pixels that it covers.
            classes: Its class indices there, of the window's size.
            confidence: Its confidence there, as it is stored; None if the rule has no use for
                it.
        """

    def result(self) -> UInt8Array:
        """Return the joined classes.

        Returns:
            Class indices, 255 where no map has a class.
        """


def check_rule(rule: str) -> Rule:
    """Check the name of a seam rule.

    Args:
        rule: The name.

    Returns:
        The same.

    Raises:
        OptionError: If it is not known.
    """
    for known in get_args(Rule):
        if rule == known:
            checked: Rule = known
            return checked
    message = f"mosaic rule {rule!r} is not known; give one of {', '.join(get_args(Rule))}"
    raise OptionError(message)


def make_joiner(rule: Rule, *, height: int, width: int, num_classes: int) -> Joiner:
    """Make what joins maps in one window.

    Args:
        rule: The seam rule. For "last" the maps come in reversed order.
        height: Rows of the window.
        width: Columns of the window.
        num_classes: Number of classes.

    Returns:
        A joiner without any map.
    """
    if rule == "confidence":
        return BestConfidence(height=height, width=width)
    if rule == "majority":
        return Majority(height=height, width=width, num_classes=num_classes)
    return FirstOne(height=height, width=width)


class FirstOne:
    """The first map that has a class wins.

    Args:
        height: Rows.
        width: Columns.
    """

    def __init__(self, *, height: int, width: int) -> None:
        self._joined = np.full((height, width), NODATA, dtype=np.uint8)

    @property
    def is_full(self) -> bool:
        """True if every pixel has a class."""
        return not (self._joined == NODATA).any()

    def add(self, window: Window, classes: UInt8Array, confidence: NDArray[Any] | None) -> None:
        """Take a map; the arguments are those of ``Joiner.add``."""
        del confidence
        part = self._joined[window.slices]
        np.copyto(part, classes, where=part == NODATA)

    def result(self) -> UInt8Array:
        """Return the joined classes; see ``Joiner.result``."""
        return self._joined


class BestConfidence:
    """The map with the highest confidence wins; of equal ones the first.

    Args:
        height: Rows.
        width: Columns.
    """

    is_full = False

    def __init__(self, *, height: int, width: int) -> None:
        self._joined = np.full((height, width), NODATA, dtype=np.uint8)
        self._best = np.full((height, width), -2, dtype=np.float32)

    def add(self, window: Window, classes: UInt8Array, confidence: NDArray[Any] | None) -> None:
        """Take a map; the arguments are those of ``Joiner.add``."""
        if confidence is None:
            message = "rule 'confidence' needs the confidence of every map; give it"
            raise OptionError(message)
        score = _decoded(confidence)
        best = self._best[window.slices]
        wins = (classes != NODATA) & (score > best)
        np.copyto(best, score, where=wins)
        np.copyto(self._joined[window.slices], classes, where=wins)

    def result(self) -> UInt8Array:
        """Return the joined classes; see ``Joiner.result``."""
        return self._joined


class Majority:
    """The commonest class wins; of equally common ones that of the first map.

    Args:
        height: Rows.
        width: Columns.
        num_classes: Number of classes.
    """

    is_full = False

    def __init__(self, *, height: int, width: int, num_classes: int) -> None:
        # Votes in the upper half; in the lower half, how early the class was first met.
        self._claims = np.zeros((num_classes, height, width), dtype=np.uint64)
        self._earliness = np.uint64(2**32 - 1)

    def add(self, window: Window, classes: UInt8Array, confidence: NDArray[Any] | None) -> None:
        """Take a map; the arguments are those of ``Joiner.add``."""
        del confidence
        for index in np.flatnonzero(np.bincount(classes.ravel(), minlength=256)[:NODATA]):
            claim = self._claims[index][window.slices]
            votes = classes == index
            claim[votes & (claim == 0)] = self._earliness
            claim[votes] += _ONE_MAP
        self._earliness -= np.uint64(1)

    def result(self) -> UInt8Array:
        """Return the joined classes; see ``Joiner.result``."""
        joined = np.full(self._claims.shape[1:], NODATA, dtype=np.uint8)
        best = np.zeros(joined.shape, dtype=np.uint64)
        for index, claim in enumerate(self._claims):
            wins = claim > best
            joined[wins] = index
            np.copyto(best, claim, where=wins)
        return joined


def _decoded(confidence: NDArray[Any]) -> NDArray[np.float32]:
    """Return scores 0 to 1; below all of them where there is none."""
    if confidence.dtype == np.uint8:
        scores = confidence.astype(np.float32) / np.float32(SCORE_STEPS)
        scores[confidence == NODATA] = -1
        return scores
    found: NDArray[np.float32] = np.nan_to_num(confidence.astype(np.float32), nan=-1)
    return found
