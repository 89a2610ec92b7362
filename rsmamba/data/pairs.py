"""Images and label rasters that belong together, found by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from rsmamba.data.source import SourceConfig
from rsmamba.errors import DataError
from rsmamba.geo.stack import RasterPart
from rsmamba.geo.vectors import VECTOR_SUFFIXES

# Files that lie beside rasters and labels and are none themselves.
_SIDECARS = frozenset(
    {".xml", ".txt", ".md", ".csv", ".json", ".tfw", ".jgw", ".pgw", ".wld", ".prj", ".ovr", ".msk"}
    | {".py", ".cpg", ".qml", ".yaml", ".yml"}
)
_VECTORS = frozenset(VECTOR_SUFFIXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePair:
    """An image file and its labels.

    Attributes:
        image: The image.
        mask: The label raster, or a file of polygons.
        rows: First and last row that are used, as shares of the height from 0 to 1.
        bidx: Bands of the image to use, 1-based; None leaves the choice to the reader.
        stacked: Further rasters of the same pixels, whose bands follow those of the image.
    """

    image: Path
    mask: Path
    rows: tuple[float, float] = (0.0, 1.0)
    bidx: tuple[int, ...] | None = None
    stacked: tuple[RasterPart, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all rows are used."""
        return self.rows == (0.0, 1.0)


def find_pairs(config: SourceConfig, patterns: Sequence[str]) -> tuple[ScenePair, ...]:
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
    masks = _files_by_stem(config.root / config.masks, vectors=config.labels == "vector")
    if config.mask_suffix:
        images = {stem: v for stem, v in images.items() if not stem.endswith(config.mask_suffix)}
    for pattern in patterns:
        if not any(fnmatchcase(stem, pattern) for stem in images):
            msg = (
                f"no image in {config.root / config.images} matches {pattern!r}; "
                f"there are {listed(sorted(images))}"
            )
            raise DataError(msg)
    stems = sorted(s for s in images if any(fnmatchcase(s, pattern) for pattern in patterns))
    _check_matched(config, images=images, masks=masks, stems=stems)
    return tuple(
        ScenePair(image=images[stem][0], mask=masks[stem + config.mask_suffix][0]) for stem in stems
    )


def _files_by_stem(folder: Path, *, vectors: bool = False) -> dict[str, list[Path]]:
    """Rasters of a folder, or vectors, by name without extension."""
    if not folder.is_dir():
        msg = f"{folder} is not a folder; set data.root, data.images and data.masks"
        raise DataError(msg)
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        # A shapefile has companions of the same name, which a list of vector formats leaves out.
        is_kind = suffix in _VECTORS if vectors else suffix not in _SIDECARS | _VECTORS
        if is_kind and path.is_file() and not path.name.startswith("."):
            found.setdefault(path.stem, []).append(path)
    return found


def _check_matched(
    config: SourceConfig,
    *,
    images: dict[str, list[Path]],
    masks: dict[str, list[Path]],
    stems: Sequence[str],
) -> None:
    """Refuse images without a label raster and names that several files share."""
    unmatched = [stem for stem in stems if stem + config.mask_suffix not in masks]
    if unmatched:
        what = "file of polygons" if config.labels == "vector" else "label raster"
        msg = (
            f"{len(unmatched)} images have no {what} in {config.root / config.masks}: "
            f"{listed([s + config.mask_suffix for s in unmatched])}; "
            "add them or change the patterns"
        )
        raise DataError(msg)
    groups = [images[stem] for stem in stems] + [masks[s + config.mask_suffix] for s in stems]
    ambiguous = [path.name for group in groups if len(group) > 1 for path in group]
    if ambiguous:
        msg = f"several files share a name: {listed(ambiguous)}; keep one file for each name"
        raise DataError(msg)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Name the first few and count the rest.

    Args:
        names: Names of things.
        most: Number of names to say.

    Returns:
        The names, or "none".

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest if names else "none"
