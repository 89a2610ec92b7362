"""Sizes of the problems and random inputs for them."""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

PATHS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A scan of four paths.

    Attributes:
        length: Tokens L of a sequence; rounded down to a square for maps.
        states: States N.
        channels: Channels D of each path.
        rank: Rank R of the step size on maps.
        batch: Batch size.
    """

    length: int
    states: int
    channels: int = 192
    rank: int = 12
    batch: int = 1

    @property
    def side(self) -> int:
        """Rows and columns of a map."""
        return int(self.length**0.5)


def sequence_tensors(size: Size, *, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Draw the inputs of `selective_scan`.

    Args:
        size: The problem.
        device: Where they go.
        dtype: Type of the sequences; parameters are float32.

    Returns:
        The keyword arguments.
    """
    draw = functools.partial(torch.randn, device=device)
    sequences = (size.batch, PATHS, size.length, size.channels)
    terms = (*sequences[:3], size.states)
    return {
        "x": draw(sequences, dtype=dtype),
        "dt": draw(sequences, dtype=dtype) - 2,
        "A": -torch.rand(PATHS, size.channels, size.states, device=device) * size.states - 0.01,
        "B": draw(terms, dtype=dtype),
        "C": draw(terms, dtype=dtype),
        "D": draw(PATHS, size.channels),
        "dt_bias": draw(PATHS, size.channels),
    }


def map_tensors(size: Size, *, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Draw the inputs of `ss2d_scan` on a square map.

    Args:
        size: The problem.
        device: Where they go.
        dtype: Type of the maps; parameters are float32.

    Returns:
        The keyword arguments but for the paths.
    """
    draw = functools.partial(torch.randn, device=device)
    pixels = (size.batch, size.side, size.side)
    return {
        "x": draw(*pixels, size.channels, dtype=dtype),
        "projections": draw(*pixels, PATHS, size.rank + 2 * size.states, dtype=dtype),
        "dt_weight": draw(PATHS, size.channels, size.rank) * size.rank**-0.5,
        "dt_bias": draw(PATHS, size.channels) - 2,
        "A": -torch.rand(PATHS, size.channels, size.states, device=device) * size.states - 0.01,
        "D": draw(PATHS, size.channels),
    }
