"""What the networks cost, and where they come from: the contents of ``rsmamba models``.

Counting one network takes a second or two, so that the list is kept in ``costs.json`` beside this
module. ``python -m rsmamba.models.catalogue`` counts all again and writes it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from torch import nn

from rsmamba.models.decoders import DECODERS
from rsmamba.models.flops import built_without_values, count_multiply_adds
from rsmamba.models.registry import (
    MODELS,
    create_model,
    describe_architecture,
    model_entry,
)
from rsmamba.models.zoo import (
    create_classifier,
    create_encoder,
    encoder_config,
    find_encoder,
    list_encoders,
)

DECODER_SUMMARIES = {name: entry.summary for name, entry in DECODERS.items()}
# Classes of the segmentation networks listed here, as in ISPRS Vaihingen; and of the classifiers.
_SEGMENTATION_CLASSES = 6
_IMAGENET_CLASSES = 1000
_IMAGENET_SIDE = 224
_NO_WEIGHTS = "none released"
_COSTS = "costs.json"
# Side of the image that the list is counted for, in pixels.
LISTED_SIZE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One line of the list.

    Attributes:
        name: Name of a segmentation network of its own or of an encoder.
        kind: "network" or "encoder".
        summary: What it is.
        parameters: Parameters; of a network for six classes.
        multiply_adds: Multiply-adds of one image of the side that was asked for.
        input_multiple: Number that the sides of its input are padded to.
        paper: Where it is described.
        weights_licence: Licence of the official weights.
        can_prune: Whether it can drop tokens on the way, see ``rsmamba predict --prune``.
    """

    name: str
    kind: str
    summary: str
    parameters: int
    multiply_adds: int
    input_multiple: int
    paper: str
    weights_licence: str
    can_prune: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDetails:
    """All that is known of one network.

    Attributes:
        facts: The line of the list.
        size: Side of the image that the multiply-adds are for.
        classifier_parameters: Parameters of an encoder's classifier for 1000 classes.
        paper_multiply_adds_224: Multiply-adds of that classifier at 224 x 224 by the paper's rule.
        true_multiply_adds_224: The same, projections and scans counted as they are.
        out_channels: Channels of an encoder's maps.
        strides: Strides of an encoder's maps.
        options: Every option with its value.
    """

    facts: ModelFacts
    size: int
    classifier_parameters: int | None = None
    paper_multiply_adds_224: float | None = None
    true_multiply_adds_224: int | None = None
    out_channels: tuple[int, ...] | None = None
    strides: tuple[int, ...] | None = None
    options: Mapping[str, Any]


def list_facts() -> list[ModelFacts]:
    """Collect one line for each network of its own and each encoder, counted at 512 x 512.

    Returns:
        The lines: networks, then encoders, by name.
    """
    costs = json.loads(resources.files("rsmamba.models").joinpath(_COSTS).read_text())
    return [_facts(name, **costs[name]) for name in _listed_names()]


def describe(name: str, *, size: int = LISTED_SIZE) -> ModelDetails:
    """Describe one network.

    Args:
        name: Network, encoder, or encoder and decoder joined by a plus.
        size: Side of the image for the counts, in pixels.

    Returns:
        The description.

    Raises:
        OptionError: If there is no such network.
    """
    if name not in list_encoders():
        options = describe_architecture(name).options
        return ModelDetails(
            facts=_facts(name, **count_costs(name, size=size)), size=size, options=options
        )
    family, _ = find_encoder(name)
    config = encoder_config(name, {})
    encoder = built_without_values(lambda: create_encoder(name))
    classifier = built_without_values(lambda: create_classifier(name))
    side = {"height": _IMAGENET_SIDE, "width": _IMAGENET_SIDE}
    true_count = count_multiply_adds(classifier, in_channels=3, **side)
    return ModelDetails(
        facts=_facts(name, **count_costs(name, size=size)),
        size=size,
        classifier_parameters=_num_parameters(classifier),
        paper_multiply_adds_224=family.paper_flops(config, num_classes=_IMAGENET_CLASSES, **side),
        true_multiply_adds_224=true_count,
        out_channels=encoder.out_channels,
        strides=encoder.strides,
        options=json.loads(json.dumps(asdict(config))),
    )


def count_costs(name: str, *, size: int = LISTED_SIZE) -> dict[str, int]:
    """Count one network or encoder.

    Args:
        name: Network, encoder, or encoder and decoder joined by a plus.
        size: Side of the image, in pixels.

    Returns:
        The number of ``parameters``, and the ``multiply_adds`` of one image.
    """
    module = built_without_values(lambda: _build(name))
    count = count_multiply_adds(module, in_channels=3, height=size, width=size)
    return {"parameters": _num_parameters(module), "multiply_adds": count}


def _listed_names() -> list[str]:
    return [*sorted(MODELS), *list_encoders()]


def _facts(name: str, *, parameters: int, multiply_adds: int) -> ModelFacts:
    is_encoder = name in list_encoders()
    encoder_name, plus, _ = name.partition("+")
    family, variant = find_encoder(encoder_name) if is_encoder or plus else (None, None)
    if variant is not None and is_encoder:
        summary, paper, multiple = variant.summary, variant.paper, 1
    else:
        entry = model_entry(name)
        summary, paper, multiple = entry.summary, entry.paper, entry.input_multiple
    return ModelFacts(
        name=name,
        kind="encoder" if is_encoder else "network",
        summary=summary,
        parameters=parameters,
        multiply_adds=multiply_adds,
        input_multiple=multiple,
        paper=paper,
        weights_licence=_NO_WEIGHTS if variant is None else variant.weights_licence,
        can_prune=family is not None and variant is not None and family.can_prune(variant.options),
    )


def _build(name: str) -> nn.Module:
    if name in list_encoders():
        return create_encoder(name)
    return create_model(name, num_classes=_SEGMENTATION_CLASSES)


def _num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _write_costs() -> None:
    costs = {name: count_costs(name) for name in _listed_names()}
    (Path(__file__).parent / _COSTS).write_text(json.dumps(costs, indent=2) + "\n")


if __name__ == "__main__":
    _write_costs()
