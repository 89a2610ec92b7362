"""Which parameters are trained, and how fast: freezing, factors of the learning rate, groups."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from rsmamba.errors import OptionError
from rsmamba.models.options import closest
from rsmamba.train.recipe import OptimiserConfig

# Of several axes, and yet no matrices that multiply features.
_FREE_TERMS = frozenset({"A_log", "A_logs", "Ds", "dt_projs_bias", "bias", "pos_embed"})
# How the networks here name their encoders: stages of blocks, or blocks alone.
_BLOCK = re.compile(
    r"encoder\.(?:(?:\w+\.)?(?:stages|layers)\.)?(?P<stage>\d+)\."
    r"(?:(?:blocks|mixers|averages)\.(?P<block>\d+)\.)?"
)
_MERGING = re.compile(r"(?:encoder\.\w+\.)?mergings\.(?P<stage>\d+)\.")
_STEM = re.compile(r"(?:encoder\.(?:\w+\.)?)?(?:stem|patch_embed|pos_embed)\b")


def freeze(network: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Take parameters out of the training.

    Args:
        network: Network to train, changed in place.
        patterns: Names of parameters, see `OptimiserConfig`.

    Returns:
        Modules that must stay in evaluation mode: those that a pattern names, and those of whose
        parameters none is trained.

    Raises:
        OptionError: If a pattern matches no parameter, or nothing is left to train.
    """
    if not patterns:
        return []
    parameters = dict(network.named_parameters())
    for name in match_first(parameters, patterns, option="optimiser.frozen"):
        parameters[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters.values()):
        msg = f"optimiser.frozen is {list(patterns)}, which leaves nothing to train; freeze less"
        raise OptionError(msg)
    return [
        module
        for name, module in network.named_modules()
        if any(_matches(name, pattern) for pattern in patterns) or _is_frozen(module)
    ]


def _is_frozen(module: nn.Module) -> bool:
    """Whether a module has parameters, and none that is trained."""
    trained = [parameter.requires_grad for parameter in module.parameters()]
    return bool(trained) and not any(trained)


def learning_rate_factors(network: nn.Module, config: OptimiserConfig) -> dict[str, float]:
    """Compute each parameter's share of the learning rate.

    Args:
        network: Network to train.
        config: Factors by pattern, and decay from block to block of the encoder.

    Returns:
        Factor by name of the parameter.

    Raises:
        OptionError: If a pattern matches no parameter, or the decay is given and the network's
            encoder does not name its blocks.
    """
    names = [name for name, _ in network.named_parameters()]
    matched = match_first(names, list(config.factors), option="optimiser.factors")
    factors = {name: config.factors[matched[name]] if name in matched else 1.0 for name in names}
    if config.layer_decay == 1:
        return factors
    depths, top = _depths(names)
    return {
        name: factor * config.layer_decay ** (top - depths.get(name, top))
        for name, factor in factors.items()
    }


def match_first(names: Iterable[str], patterns: Sequence[str], *, option: str) -> dict[str, str]:
    """Find the first pattern that each name matches.

    Args:
        names: Names of parameters.
        patterns: Patterns, see `OptimiserConfig`.
        option: Name of the option for the error.

    Returns:
        Pattern by name, for the names that match one.

    Raises:
        OptionError: If a pattern matches no name.
    """
    names = list(names)
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            tops = list(dict.fromkeys(name.partition(".")[0] for name in names))
            hint = closest(pattern, _prefixes(names))
            msg = (
                f"{option} has the pattern {pattern!r}, which matches no parameter of the "
                f"network{hint}; their names begin with {', '.join(tops)}"
            )
            raise OptionError(msg)
    first = {name: [p for p in patterns if _matches(name, p)][:1] for name in names}
    return {name: found[0] for name, found in first.items() if found}


def parameter_groups(
    network: nn.Module, weight_decay: float, factors: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Split the trained parameters into decayed and not decayed, for each factor.

    Vectors, biases, position embeddings and the state-space terms are not decayed: pulling the last
    towards 0 would change how far a scan remembers.

    Args:
        network: Network to train.
        weight_decay: Decay of the others.
        factors: Share of the learning rate by name of the parameter; None is 1 for all.

    Returns:
        Two groups for each factor, the highest factor first; a group's `factor` is its share.
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    share = {name: 1.0 if factors is None else factors[name] for name in trained}
    groups = []
    for factor in sorted(set(share.values()), reverse=True):
        for is_free in (False, True):
            parameters = [
                parameter
                for name, parameter in trained.items()
                if share[name] == factor and _is_free(name, parameter) == is_free
            ]
            decay = 0.0 if is_free else weight_decay
            groups.append({"params": parameters, "weight_decay": decay, "factor": factor})
    return groups


def _is_free(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is not decayed."""
    return parameter.ndim < 2 or name.rpartition(".")[2] in _FREE_TERMS


def _matches(name: str, pattern: str) -> bool:
    """Whether a pattern is a name, or what it lies in."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _prefixes(names: Iterable[str]) -> list[str]:
    """Names of all modules that have parameters."""
    parts = [name.split(".") for name in names]
    return list(dict.fromkeys(".".join(p[:end]) for p in parts for end in range(1, len(p) + 1)))


def _depths(names: Sequence[str]) -> tuple[dict[str, int], int]:
    """Depth of the encoder's parameters, 0 at the image, and the depth of all others."""
    blocks: dict[int, set[int]] = {}
    for name in names:
        if found := _BLOCK.match(name):
            blocks.setdefault(int(found["stage"]), set()).add(int(found["block"] or 0))
    if not blocks:
        msg = (
            "optimiser.layer_decay needs an encoder whose stages or layers have numbers, and this "
            "network's names tell none; use optimiser.factors"
        )
        raise OptionError(msg)
    order = sorted((stage, block) for stage in blocks for block in blocks[stage])
    depth = {key: index + 1 for index, key in enumerate(order)}
    last = {stage: max(numbers) for stage, numbers in blocks.items()}
    depths = {}
    for name in names:
        if found := _BLOCK.match(name):
            depths[name] = depth[_place(found, name, last)]
        elif found := _MERGING.match(name):
            stage = int(found["stage"])
            depths[name] = depth[stage, last[stage]]
        elif _STEM.match(name):
            depths[name] = 0
    return depths, len(order) + 1


def _place(found: re.Match[str], name: str, last: Mapping[int, int]) -> tuple[int, int]:
    """Stage and block of a parameter; what a stage has besides blocks counts as one of them."""
    stage = int(found["stage"])
    if found["block"] is not None:
        return stage, int(found["block"])
    # An embedding stands before the blocks of its stage, everything else behind them.
    return stage, 0 if name.startswith("patch_embed", found.end()) else last[stage]
