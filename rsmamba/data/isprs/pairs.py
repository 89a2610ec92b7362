"""Images, surface models and labels of an ISPRS split as pairs for training."""

import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from rsmamba.data.isprs.files import IsprsFolder, Role, find_isprs_files
from rsmamba.data.isprs.tiles import SPLITS, IsprsBands, TileLists
from rsmamba.data.pairs import ScenePair, listed
from rsmamba.data.source import SourceConfig
from rsmamba.errors import DataError, OptionError
from rsmamba.geo.stack import RasterPart

logger = logging.getLogger(__name__)

# Bands of the four-band orthophoto that stand for the others, so that one download serves all.
_FROM_RGBIR: dict[IsprsBands, tuple[int, ...]] = {
    "rgb": (1, 2, 3),
    "irrg": (4, 1, 2),
    "rgbir": (1, 2, 3, 4),
}


def find_isprs_pairs(
    config: SourceConfig,
) -> tuple[tuple[ScenePair, ...], tuple[ScenePair, ...]]:
    """Find the train and the validation tiles of a split.

    Tiles of the lists that are not in the folder are named in a warning and left out: a number
    from such a run is not one of the protocol.

    Args:
        config: Folder, data set, split, bands and labels; of kind isprs.

    Returns:
        Train pairs and validation pairs; where `validation_share` is set the same tiles twice,
        whose rows are still to be cut.

    Raises:
        OptionError: If neither the split nor the configuration says what to validate on, or a
            pattern matches no tile.
        DataError: If a split has no tile in the folder, or a tile lacks an image, a surface model
            or labels.
    """
    folder, lists = _find(config)
    train, validation = divide_tiles(lists, config)
    train = _present(folder, train, f"train tiles of {config.split}")
    if config.validation_share:
        validation = train
    else:
        validation = _present(folder, validation, f"validation tiles of {config.split}")
    return (
        tuple(_pair(folder, tile, config, eroded=config.eroded_training) for tile in train),
        tuple(_pair(folder, tile, config, eroded=config.eroded_validation) for tile in validation),
    )


def find_isprs_test_pairs(config: SourceConfig) -> tuple[ScenePair, ...]:
    """Find the test tiles of a split, which training never reads.

    Args:
        config: Folder, data set, split, bands and labels; of kind isprs. The labels are those that
            validation has.

    Returns:
        Test pairs.

    Raises:
        OptionError: If the configuration is of another kind.
        DataError: If no test tile is in the folder, or one lacks an image, a surface model or
            labels.
    """
    folder, lists = _find(config)
    tiles = _present(folder, lists.test, f"test tiles of {config.split}")
    return tuple(_pair(folder, tile, config, eroded=config.eroded_validation) for tile in tiles)


def _find(config: SourceConfig) -> tuple[IsprsFolder, TileLists]:
    """Files of the data set, and the tiles of its split."""
    if config.dataset is None or config.split is None:
        msg = f"kind is {config.kind}; give kind isprs with dataset and split"
        raise OptionError(msg)
    folder = find_isprs_files(config.root, config.dataset)
    return folder, SPLITS[config.dataset][config.split]


def divide_tiles(lists: TileLists, config: SourceConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Say which tiles are trained on and which validate.

    Test tiles are in neither. Tiles that the split sets aside for validation are trained on where
    the configuration chooses others.

    Args:
        lists: Tiles of the split.
        config: Patterns of tile names or a share of rows; neither leaves the choice to the split.

    Returns:
        Train and validation tiles; the latter are empty where a share of rows is kept instead.

    Raises:
        OptionError: If nothing says what to validate on, a pattern matches no train tile, or none
            is left to train on.
    """
    known = (*lists.train, *lists.validation)
    if config.validation_share:
        return known, ()
    if not config.validation:
        if not lists.validation:
            msg = (
                f"the split {config.split} has no validation tiles; name some of its train tiles "
                "with data.validation, or set data.validation_share"
            )
            raise OptionError(msg)
        return lists.train, lists.validation
    for pattern in config.validation:
        if not any(fnmatchcase(tile, pattern) for tile in known):
            msg = (
                f"no train tile of the split {config.split} matches {pattern!r}; there are "
                f"{listed(known, most=40)}"
            )
            raise OptionError(msg)
    chosen = tuple(t for t in known if any(fnmatchcase(t, p) for p in config.validation))
    left = tuple(tile for tile in known if tile not in chosen)
    if not left:
        msg = (
            f"validation is {list(config.validation)}, which takes all train tiles of the split "
            f"{config.split}; name fewer"
        )
        raise OptionError(msg)
    return left, chosen


def image_part(files: dict[Role, Path], bands: IsprsBands) -> RasterPart | None:
    """Say which file has the bands, and where in it.

    Args:
        files: Files of a tile.
        bands: Bands that are wanted.

    Returns:
        File and band numbers; None if no file has them.
    """
    if bands in files:
        return RasterPart(path=files[bands], bidx=(1, 2, 3, 4) if bands == "rgbir" else (1, 2, 3))
    if "rgbir" in files:
        return RasterPart(path=files["rgbir"], bidx=_FROM_RGBIR[bands])
    return None


def _present(folder: IsprsFolder, tiles: Sequence[str], what: str) -> tuple[str, ...]:
    """Tiles that are there, with a warning about the others."""
    present = tuple(tile for tile in tiles if tile in folder.files)
    absent = [tile for tile in tiles if tile not in folder.files]
    if not present:
        msg = f"none of the {len(tiles)} {what} is in {folder.root}; it has the tiles " + listed(
            sorted(folder.files), most=40
        )
        raise DataError(msg)
    if absent:
        logger.warning(
            "%d of the %d %s are not in %s: %s; results are not those of the protocol",
            len(absent),
            len(tiles),
            what,
            folder.root,
            listed(absent, most=40),
        )
    return present


def _pair(folder: IsprsFolder, tile: str, config: SourceConfig, *, eroded: bool) -> ScenePair:
    """Pair of one tile, or an error that names what it lacks."""
    files = folder.files[tile]
    bands = config.bands or "irrg"
    image = image_part(files, bands)
    role: Role = "eroded" if eroded else "label"
    lacking = [
        *([f"image with the bands {bands}"] if image is None else []),
        *(["normalised surface model"] if config.ndsm and "ndsm" not in files else []),
        *([f"{'noBoundary' if eroded else 'full'} labels"] if role not in files else []),
    ]
    if lacking or image is None:
        msg = (
            f"tile {tile} in {folder.root} has no {' and no '.join(lacking)}; unpack the missing "
            "archive there, or change data.bands, data.ndsm or data.eroded_*"
        )
        raise DataError(msg)
    heights = (RasterPart(path=files["ndsm"], bidx=(1,)),) if config.ndsm else ()
    return ScenePair(image=image.path, bidx=image.bidx, mask=files[role], stacked=heights)
