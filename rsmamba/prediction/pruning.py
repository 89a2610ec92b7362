"""How a prediction drops tokens: by one ratio, or by what is in each tile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rsmamba.models.pruning.config import Pruning
from rsmamba.models.pruning.feeding import assign_pruning
from rsmamba.models.pruning.levels import PruningLevels, tile_content
from rsmamba.models.pruning.setting import choose_pruning, pruned, pruning_of
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PredictConfig

_LOGGER = logging.getLogger(__name__)


@contextmanager
def pruned_as_configured(model: SceneModel, config: PredictConfig) -> Iterator[SceneModel]:
    """Lend a model that drops tokens as a prediction's options say; it is given back as it was.

    Args:
        model: The model.
        config: The options.

    Yields:
        The same model.
    """
    if config.prune is None and config.prune_flops is None:
        yield model
        return
    if config.prune == "auto":
        # What the tile decides is set tile by tile; here it is only taken back at the end.
        levels = PruningLevels.of(model)
        if levels.tile != config.tile:
            _LOGGER.warning(
                "pruning was calibrated with tiles of %d px, this prediction has tiles of %d px; "
                "calibrate with --tile %d for the promised agreement",
                *(levels.tile, config.tile, config.tile),
            )
        before = pruning_of(model)
        try:
            yield model
        finally:
            assign_pruning(model.network, before)
        return
    pruning = choose_pruning(model, ratio=config.prune, flops=config.prune_flops, tile=config.tile)
    with pruned(model, pruning):
        yield model


def pruning_text(model: SceneModel, config: PredictConfig) -> str | None:
    """Say how a model drops tokens in a prediction.

    Args:
        model: The model, as it was lent.
        config: The options of the prediction.

    Returns:
        A phrase; None if it keeps all.
    """
    if config.prune == "auto":
        return PruningLevels.of(model).describe()
    pruning = pruning_of(model)
    return None if pruning is None else pruning.describe()


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePruner:
    """Gives each tile the keep ratio of its content.

    Attributes:
        model: The model, changed from tile to tile.
        levels: Ratios by content.
        pruning: The model's pruning, whose ratio is replaced.
    """

    model: SceneModel
    levels: PruningLevels
    pruning: Pruning

    @classmethod
    def of(cls, model: SceneModel) -> "TilePruner":
        """Make what prunes the tiles of a calibrated model.

        Args:
            model: The model.

        Returns:
            The pruner.
        """
        pruning = choose_pruning(model, ratio=1.0)
        return cls(model=model, levels=PruningLevels.of(model), pruning=pruning)

    def adapt(self, pixels: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> float:
        """Make the model ready for a tile.

        Args:
            pixels: Pixel values, (C, h, w).
            valid: True where a pixel counts, (h, w).

        Returns:
            The keep ratio that the tile got.
        """
        ratio = self.levels.ratio_for(content_of(self.model, pixels, valid))
        assign_pruning(self.model.network, replace(self.pruning, ratio=ratio))
        return ratio


def content_of(
    model: SceneModel, pixels: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]
) -> float:
    """Measure the content of a tile as a model sees it.

    Args:
        model: The model, whose normalisation makes bands comparable.
        pixels: Pixel values, (C, h, w).
        valid: True where a pixel counts, (h, w).

    Returns:
        The content, see `tile_content`.
    """
    std: Tensor | None = model.std
    scale = None if std is None else std.flatten().tolist()
    return tile_content(torch.from_numpy(pixels), torch.from_numpy(valid), std=scale)
