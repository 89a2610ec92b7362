"""How many tokens a tile needs by what is in it: levels that a calibration finds.

Symbols: C bands, h rows, w columns of a tile.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rsmamba.errors import OptionError
from rsmamba.models.scene_model import SceneModel

METADATA = "pruning_levels"
# Side of the squares whose means are compared, in pixels: finer changes are mostly noise.
_SQUARE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningLevels:
    """Keep ratios by content, and what they were chosen for.

    Attributes:
        limits: Content up to which each level but the last holds, rising.
        ratios: Keep ratio of each level; one more than limits.
        agreement: Least share of pixels that a level may leave in the class of the dense map, as
            it was asked for.
        reached: Share of pixels in the class of the dense map, over all tiles of the calibration.
        tile: Side of the tiles of the calibration, pixels.
        num_tiles: Their number.
    """

    limits: tuple[float, ...]
    ratios: tuple[float, ...]
    agreement: float
    reached: float
    tile: int
    num_tiles: int

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            OptionError: If limits do not rise, or a level has no ratio.
        """
        rising = all(low < high for low, high in itertools.pairwise(self.limits))
        if len(self.ratios) != len(self.limits) + 1 or not rising:
            message = (
                f"pruning levels with limits {self.limits} and ratios {self.ratios}: limits must "
                "rise, and there must be one ratio more; calibrate the model again"
            )
            raise OptionError(message)

    def ratio_for(self, content: float) -> float:
        """Return the keep ratio of a tile.

        Args:
            content: What `tile_content` measured.

        Returns:
            The ratio, above 0 and at most 1.

        Example:
            >>> levels = PruningLevels(limits=(0.2,), ratios=(0.4, 1.0), agreement=0.98,
            ...                        reached=0.99, tile=512, num_tiles=8)
            >>> levels.ratio_for(0.1), levels.ratio_for(0.5)
            (0.4, 1.0)
        """
        return self.ratios[sum(content > limit for limit in self.limits)]

    def describe(self) -> str:
        """Say what is kept.

        Returns:
            A phrase.
        """
        return (
            f"auto: keep ratio {min(self.ratios):.4g} to {max(self.ratios):.4g} by content; "
            f"{self.reached:.1%} of the pixels kept their class in the calibration"
        )

    @classmethod
    def of(cls, model: SceneModel) -> "PruningLevels":
        """Read the levels of a model.

        Args:
            model: A calibrated model.

        Returns:
            The levels.

        Raises:
            OptionError: If the model was not calibrated.
        """
        stored: Mapping[str, Any] | None = model.metadata.get(METADATA)
        if stored is None:
            message = (
                f"model {model.name!r} has no pruning levels; make them from a few scenes with "
                "rsmamba models calibrate-pruning MODEL SCENE... --out FILE, or give a keep ratio"
            )
            raise OptionError(message)
        values = {**stored, "limits": tuple(stored["limits"]), "ratios": tuple(stored["ratios"])}
        return cls(**values)


def tile_content(pixels: Tensor, valid: Tensor | None, *, std: Sequence[float] | None) -> float:
    """Measure how much there is to tell apart in a tile: little in water, much in a town.

    Args:
        pixels: Pixel values, (C, h, w).
        valid: True where a pixel counts, (h, w); None means everywhere.
        std: Standard deviation of each band in the training data; None takes the values as they
            are.

    Returns:
        Mean absolute difference between the means of neighbouring squares of 8 pixels, over the
        bands, in standard deviations; 0 where the tile has no two squares.
    """
    values = pixels if valid is None else pixels.where(valid, 0.0)
    means = functional.avg_pool2d(values.unsqueeze(0), _SQUARE, ceil_mode=True)[0]
    if std is not None:
        means = means / means.new_tensor(std).view(-1, 1, 1)
    parts = [means.diff(dim=axis).abs().flatten() for axis in (1, 2)]
    changes = torch.cat(parts)
    return float(changes.mean()) if changes.numel() else 0.0
