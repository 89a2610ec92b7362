"""The families of encoders, each seen through one set of functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from rsmamba.models.encoders.base import Encoder, Variant

Part = Literal["classifier", "encoder"]
State = dict[str, Tensor]


class Rename(Protocol):
    """Turn a key of an official checkpoint into one of ours."""

    def __call__(self, key: str, *, part: Part) -> str | None:
        """Return our key, or None for a key that the part does not use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the registry needs of a family.

    Attributes:
        name: Its name in the package.
        config: Configuration dataclass.
        variants: Published sizes by name.
        make_encoder: Builds the dense form.
        make_classifier: Builds the classifier that the released weights are.
        paper_flops: Multiply-adds of the classifier by the paper's rule.
        rename: Names of the official checkpoint, or None where none is released.
        new_in_encoder: Patterns of encoder keys that a classification checkpoint lacks.
        adapt: Changes values of a renamed checkpoint to fit a module.
        config_from_official: Turns the arguments of the official constructor into a configuration.
    """

    name: str
    config: type[Any]
    variants: Mapping[str, Variant]
    make_encoder: Callable[..., Encoder]
    make_classifier: Callable[..., nn.Module]
    paper_flops: Callable[..., float]
    rename: Rename | None = None
    new_in_encoder: tuple[str, ...] = ()
    adapt: Callable[[State, nn.Module], State] | None = None
    config_from_official: Callable[[Mapping[str, Any]], Any] | None = None

    def can_prune(self, options: Mapping[str, Any]) -> bool:
        """Say whether an encoder of the family can leave tokens out.

        Args:
            options: Fields that differ from the configuration's defaults.

        Returns:
            The answer; an encoder of several resolutions needs a feed-forward part for it.
        """
        known = any(field.name == "pruning" for field in fields(self.config))
        return known and options.get("mlp_ratio", 1) != 0


def family_of(package: ModuleType, upstream: ModuleType | None = None) -> Family:
    """Collect what a family's package and its module of official names export.

    Args:
        package: ``rsmamba.models.encoders.<family>``.
        upstream: ``rsmamba.models.upstream.<family>``, or None where no weights are released.

    Returns:
        The family.
    """
    return Family(
        name=package.__name__.rpartition(".")[2],
        config=package.Config,
        variants=package.VARIANTS,
        make_encoder=package.make_encoder,
        make_classifier=package.make_classifier,
        paper_flops=package.paper_flops,
        rename=None if upstream is None else upstream.rename,
        new_in_encoder=getattr(upstream, "NEW_IN_ENCODER", ()),
        adapt=getattr(upstream, "adapt", None),
        config_from_official=getattr(upstream, "config_from_official", None),
    )
