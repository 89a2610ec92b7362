"""Change the token pruning of a model that is built already.

Dropping tokens, or not feeding them forward, needs no weights of its own, so that any model of an
encoder that can do it may be run with more or fewer tokens than it was trained with.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from torch import nn

from rsmamba.errors import OptionError
from rsmamba.models.encoders.vim.block import patches_along
from rsmamba.models.flops import count_multiply_adds
from rsmamba.models.pruning.config import FeedForwardPruning, Pruning, PruningConfig
from rsmamba.models.pruning.feeding import assign_pruning, prunable_parts
from rsmamba.models.pruning.schedule import evenly_spaced, solve_ratio, tokens_entering
from rsmamba.models.registry import Architecture, describe_architecture
from rsmamba.models.scene_model import SceneModel
from rsmamba.models.zoo import FAMILIES, encoder_config, find_encoder

_LEAST_RATIO = 0.01


def set_pruning(model: SceneModel, pruning: Pruning | None) -> None:
    """Drop tokens as a configuration says from now on; saving the model keeps it.

    Args:
        model: A model whose encoder can drop tokens; changed in place.
        pruning: Where tokens are dropped; None keeps all.

    Raises:
        OptionError: If the encoder cannot drop tokens, or has fewer layers.
    """
    architecture, encoder = _prunable(model)
    plain = None if pruning is None else asdict(pruning)
    options = {**architecture.options["encoder"], "pruning": plain}
    # It checks the layers too, before anything has changed.
    model.architecture = describe_architecture(
        architecture.name, **{**architecture.options, "encoder": options}
    )
    assign_pruning(encoder, pruning)


def pruning_of(model: SceneModel) -> Pruning | None:
    """Return how a model drops tokens now.

    Args:
        model: Any model.

    Returns:
        The pruning; None if it keeps all tokens, or its encoder cannot drop any.
    """
    if not can_prune(model):
        return None
    stored: Pruning | None = vars(prunable_parts(model.network)[0])["pruning"]
    return stored


@contextmanager
def pruned(model: SceneModel, pruning: Pruning | None) -> Iterator[SceneModel]:
    """Lend a model that drops tokens; it is given back as it was.

    Args:
        model: A model whose encoder can drop tokens.
        pruning: Where tokens are dropped; None keeps all.

    Yields:
        The same model.
    """
    before, architecture = pruning_of(model), model.architecture
    set_pruning(model, pruning)
    try:
        yield model
    finally:
        set_pruning(model, before)
        # Options that an older file does not state stay unstated.
        model.architecture = architecture


def choose_pruning(
    model: SceneModel, *, ratio: float | None = None, flops: float | None = None, tile: int = 512
) -> Pruning:
    """Make the pruning of a model for a keep ratio, or for a share of multiply-adds to save.

    Args:
        model: A model whose encoder can drop tokens. Its own layers and alignment are kept; if it
            has none, tokens are dropped three times at equal distances. An encoder of several
            resolutions feeds that share of the tokens forward.
        ratio: Share of the tokens kept each time; or None.
        flops: Share of the encoder's multiply-adds to save for one tile, or None; by the counting
            rule of its paper where tokens are dropped, by the true count otherwise.
        tile: Side of a tile in pixels.

    Returns:
        The pruning, for `set_pruning`.

    Raises:
        OptionError: If not one of both is given, the encoder cannot drop tokens, or a value cannot
            be reached.
    """
    if (ratio is None) == (flops is None):
        message = (
            f"prune is {ratio} and prune_flops {flops}; give one of them, a keep ratio or a share "
            "of the encoder's work to save"
        )
        raise OptionError(message)
    _, encoder = _prunable(model)
    if hasattr(encoder, "backbone"):
        pruning, cost = _dropping(model, tile=tile)
    else:
        pruning, cost = _feeding(model, tile=tile)
    if flops is not None:
        ratio = solve_ratio(cost, reduction=flops)
    return replace(pruning, ratio=1.0 if ratio is None else ratio)


def _feeding(model: SceneModel, *, tile: int) -> tuple[Pruning, Callable[[float], float]]:
    """Return how a model chooses what it feeds forward, and what a share of the tokens costs."""
    _, encoder = _prunable(model)
    pruning = pruning_of(model) or FeedForwardPruning()

    @functools.cache
    def count(ratio: float) -> int:
        with pruned(model, replace(pruning, ratio=ratio)):
            return count_multiply_adds(
                encoder, in_channels=model.in_channels, height=tile, width=tile
            )

    def cost(ratio: float) -> float:
        # A straight line, so that two networks are counted.
        slope = (count(1.0) - count(_LEAST_RATIO)) / (1 - _LEAST_RATIO)
        return count(1.0) - slope * (1 - ratio)

    return pruning, cost


def _dropping(model: SceneModel, *, tile: int) -> tuple[Pruning, Callable[[float], float]]:
    """Return where a model drops tokens, and what a keep ratio costs."""
    architecture, encoder = _prunable(model)
    depth = len(list(encoder.get_submodule("backbone.layers").children()))
    pruning = pruning_of(model)
    if not isinstance(pruning, PruningConfig):
        pruning = PruningConfig(layers=evenly_spaced(depth))
    return pruning, _cost_of_a_tile(architecture, pruning, depth=depth, tile=tile)


def _cost_of_a_tile(
    architecture: Architecture, pruning: PruningConfig, *, depth: int, tile: int
) -> Callable[[float], float]:
    """Return the function that counts an encoder's multiply-adds at a keep ratio."""
    name = architecture.name.partition("+")[0]
    family, _ = find_encoder(name)
    config = encoder_config(name, architecture.options["encoder"])
    along = patches_along(
        tile, patch=config.patch_size, stride=getattr(config, "stride", config.patch_size)
    )

    def cost(ratio: float) -> float:
        tokens = tokens_entering(replace(pruning, ratio=ratio), depth=depth, patches=along**2)
        return family.paper_flops(config, height=tile, width=tile, num_classes=1, tokens=tokens)

    return cost


def can_prune(model: SceneModel) -> bool:
    """Say whether the encoder of a model can drop tokens.

    Args:
        model: Any model.

    Returns:
        The answer.
    """
    architecture = model.architecture
    if architecture is None or "+" not in architecture.name:
        return False
    family, _ = find_encoder(architecture.name.partition("+")[0])
    return family.can_prune(architecture.options["encoder"])


def _prunable(model: SceneModel) -> tuple[Architecture, nn.Module]:
    """Return the architecture of a model, and the part of its network that drops tokens."""
    if model.architecture is not None and can_prune(model):
        return model.architecture, model.network.get_submodule("encoder")
    able = sorted(family.name for family in FAMILIES if family.can_prune({}))
    message = (
        f"model {model.name!r} cannot drop tokens; encoders of {', '.join(able)} can, for "
        "example plainmamba_l1+light; rsmamba models lists all"
    )
    raise OptionError(message)
