"""The train and the validation scenes of a run, wherever they come from."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal

from rsmamba.data.isprs.pairs import find_isprs_pairs, find_isprs_test_pairs
from rsmamba.data.pairs import ScenePair, find_pairs, listed
from rsmamba.data.source import SourceConfig
from rsmamba.data.table import TableRow, read_table
from rsmamba.errors import DataError, OptionError

logger = logging.getLogger(__name__)

Pairs = tuple[ScenePair, ...]
Split = Literal["train", "validation", "test"]


def find_splits(config: SourceConfig) -> tuple[Pairs, Pairs]:
    """Find the pairs of the train and the validation split.

    Args:
        config: Where images and labels are.

    Returns:
        Train pairs and validation pairs; the same scenes, cut in two, where `validation_share` is
        set.

    Raises:
        DataError: If a split is empty, a scene is in both splits, or pairing fails.
        OptionError: If nothing says what to validate on.
    """
    if config.kind == "isprs":
        train, validation = find_isprs_pairs(config)
    elif config.kind == "table":
        train, validation = _of_table(config)
    else:
        train = find_pairs(config, config.train)
        validation = find_pairs(config, config.validation) if config.validation else ()
    if config.validation_share:
        cut = 1 - config.validation_share
        return _rows(train, 0.0, cut), _rows(validation or train, cut, 1.0)
    shared = sorted({pair.image.name for pair in train} & {p.image.name for p in validation})
    if shared:
        msg = (
            f"{len(shared)} scenes are in both train and validation: {listed(shared)}; "
            "change the patterns so that no scene is in both"
        )
        raise DataError(msg)
    return train, validation


def find_split(config: SourceConfig, split: Split) -> Pairs:
    """Find the pairs of one split.

    Args:
        config: Where images and labels are.
        split: Its name; folders have no test split, since nothing names its scenes.

    Returns:
        The pairs.

    Raises:
        DataError: If the split is empty, or pairing fails.
        OptionError: If there is no such split.
    """
    if split == "test":
        return _test_pairs(config)
    if split not in {"train", "validation"}:
        msg = f"split is {split!r}; give train, validation or test"
        raise OptionError(msg)
    train, validation = find_splits(config)
    return train if split == "train" else validation


def _test_pairs(config: SourceConfig) -> Pairs:
    """Scenes that training never reads."""
    if config.kind == "isprs":
        return find_isprs_test_pairs(config)
    if config.kind == "table":
        rows = read_table(config.root / config.table)
        test = tuple(row.pair for row in rows if row.split == "test")
        _refuse_empty(config, test, "test")
        return test
    msg = (
        "data of kind folders name no test scenes; take --split validation, with data.validation "
        "naming the scenes to test on"
    )
    raise OptionError(msg)


def _rows(pairs: Pairs, first: float, last: float) -> Pairs:
    """The pairs with a part of their rows."""
    return tuple(replace(pair, rows=(first, last)) for pair in pairs)


def _of_table(config: SourceConfig) -> tuple[Pairs, Pairs]:
    """Pairs of a table, by its own splits where it has a column for them."""
    rows = read_table(config.root / config.table)
    if any(row.split is not None for row in rows):
        if config.train or config.validation:
            logger.warning(
                "%s has a column split, which counts; data.train and data.validation do not",
                config.root / config.table,
            )
        train = tuple(row.pair for row in rows if row.split == "train")
        validation = tuple(row.pair for row in rows if row.split == "validation")
        if config.validation_share:
            validation = ()
        _refuse_empty(config, train, "train")
        if not config.validation_share:
            _refuse_empty(config, validation, "validation")
        return train, validation
    if not config.validation and not config.validation_share:
        msg = (
            f"{config.root / config.table} has no column split, so that there is nothing to "
            "validate on; set data.validation_share, or name scenes with data.validation"
        )
        raise DataError(msg)
    train = _matching(rows, config.train or ("*",), config)
    return train, _matching(rows, config.validation, config)


def _refuse_empty(config: SourceConfig, pairs: Pairs, split: str) -> None:
    """Name a split that no row of the table has."""
    if not pairs:
        msg = (
            f"no row of {config.root / config.table} has the split {split!r}; write "
            f"{'test' if split == 'test' else 'train and validation'} into the column split"
            + (", or set data.validation_share" if split == "validation" else "")
        )
        raise DataError(msg)


def _matching(rows: Sequence[TableRow], patterns: Sequence[str], config: SourceConfig) -> Pairs:
    """Pairs of the rows whose image stem matches any pattern; each must match something."""
    stems = [row.pair.image.stem for row in rows]
    for pattern in patterns:
        if not any(fnmatchcase(stem, pattern) for stem in stems):
            msg = (
                f"no image in {config.root / config.table} matches {pattern!r}; there are "
                f"{listed(sorted(stems))}"
            )
            raise DataError(msg)
    return tuple(
        row.pair
        for row in rows
        if any(fnmatchcase(row.pair.image.stem, pattern) for pattern in patterns)
    )
