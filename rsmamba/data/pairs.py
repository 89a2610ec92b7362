"""Images and label rasters that belong together, found by name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from rsmamba.data.config import DataConfig
from rsmamba.errors import DataError

# Files that lie beside rasters and are none themselves.
_SIDECARS = frozenset(
    {".xml", ".txt", ".md", ".csv", ".json", ".tfw", ".jgw", ".pgw", ".wld", ".prj", ".ovr", ".msk"}
    | {".geojson", ".gpkg", ".py", ".cpg", ".qml", ".yaml", ".yml"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePair:
    """An image file and its label raster.

    Attributes:
        image: The image.
        mask: The label raster.
        rows: First and last row that are used, as shares of the height from 0 to 1.
    """

    image: Path
    mask: Path
    rows: tuple[float, float] = (0.0, 1.0)


def find_pairs(config: DataConfig, patterns: Sequence[str]) -> tuple[ScenePair, ...]:
    """Find the images that match any of the patterns, with their label rasters.

    Args:
        config: Folders and naming.
        patterns: Glob patterns of image stems; each must match something.

    Returns:
        The pairs, ordered by image name.

    Raises:
        DataError: If a folder is missing, a pattern matches nothing, an image has no label raster
            or several, or nothing tells images and label rasters apart.
    """
    if config.images == config.masks and not config.mask_suffix:
        msg = (
            f"data.images and data.masks are both {config.images!r}; name two folders, or set "
            'data.mask_suffix to the ending of the label rasters\' names, such as "_labels"'
        )
        raise DataError(msg)
    images = _files_by_stem(config.root / config.images)
    masks = _files_by_stem(config.root / config.masks)
    if config.mask_suffix:
        images = {stem: v for stem, v in images.items() if not stem.endswith(config.mask_suffix)}
    for pattern in patterns:
        if not any(fnmatchcase(stem, pattern) for stem in images):
            msg = (
                f"no image in {config.root / config.images} matches {pattern!r}; "
                f"there are {_listed(sorted(images))}"
            )
            raise DataError(msg)
    stems = sorted(s for s in images if any(fnmatchcase(s, pattern) for pattern in patterns))
    _check_matched(config, images=images, masks=masks, stems=stems)
    return tuple(
        ScenePair(image=images[stem][0], mask=masks[stem + config.mask_suffix][0]) for stem in stems
    )


def find_splits(config: DataConfig) -> tuple[tuple[ScenePair, ...], tuple[ScenePair, ...]]:
    """Find the pairs of the train and the validation split.

    Args:
        config: Folders, naming and patterns.

    Returns:
        Train pairs and validation pairs; the same scenes, cut in two, where `validation_share` is
        set.

    Raises:
        DataError: If a scene is in both splits, or pairing fails.
    """
    train = find_pairs(config, config.train)
    if config.validation_share:
        cut = 1 - config.validation_share
        return (
            tuple(replace(pair, rows=(0.0, cut)) for pair in train),
            tuple(replace(pair, rows=(cut, 1.0)) for pair in train),
        )
    validation = find_pairs(config, config.validation)
    shared = sorted({pair.image.name for pair in train} & {p.image.name for p in validation})
    if shared:
        msg = (
            f"{len(shared)} scenes are in both train and validation: {_listed(shared)}; "
            "change the patterns so that no scene is in both"
        )
        raise DataError(msg)
    return train, validation


def _files_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Raster files of a folder by name without extension."""
    if not folder.is_dir():
        msg = f"{folder} is not a folder; set data.root, data.images and data.masks"
        raise DataError(msg)
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".")
        if path.is_file() and not hidden and path.suffix.lower() not in _SIDECARS:
            found.setdefault(path.stem, []).append(path)
    return found


def _check_matched(
    config: DataConfig,
    *,
    images: dict[str, list[Path]],
    masks: dict[str, list[Path]],
    stems: Sequence[str],
) -> None:
    """Refuse images without a label raster and names that several files share."""
    unmatched = [stem for stem in stems if stem + config.mask_suffix not in masks]
    if unmatched:
        msg = (
            f"{len(unmatched)} images have no label raster in {config.root / config.masks}: "
            f"{_listed([s + config.mask_suffix for s in unmatched])}; "
            "add them or change the patterns"
        )
        raise DataError(msg)
    groups = [images[stem] for stem in stems] + [masks[s + config.mask_suffix] for s in stems]
    ambiguous = [path.name for group in groups if len(group) > 1 for path in group]
    if ambiguous:
        msg = f"several files share a name: {_listed(ambiguous)}; keep one file for each name"
        raise DataError(msg)


def _listed(names: Sequence[str], most: int = 8) -> str:
    """Name the first few and count the rest."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest if names else "none"
