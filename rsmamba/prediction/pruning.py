"""How a prediction drops tokens."""

from collections.abc import Iterator
from contextlib import contextmanager

from rsmamba.models.pruning.setting import choose_pruning, pruned, pruning_of
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PredictConfig


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
    pruning = choose_pruning(model, ratio=config.prune, flops=config.prune_flops, tile=config.tile)
    with pruned(model, pruning):
        yield model


def pruning_text(model: SceneModel) -> str | None:
    """Say how a model drops tokens now.

    Args:
        model: The model.

    Returns:
        A phrase; None if it keeps all.
    """
    pruning = pruning_of(model)
    return None if pruning is None else pruning.describe()
