"""Whether the scenes are the test tiles that a published number was measured on."""

from collections.abc import Sequence

from rsmamba.data.isprs.tiles import SPLITS, IsprsDataset, IsprsSplit
from rsmamba.evaluation.protocols import ProtocolName
from rsmamba.evaluation.scenes import isprs_tile

_SPLIT_OF: dict[ProtocolName, IsprsSplit] = {
    "geoseg": "geoseg",
    "ssrs": "ssrs",
    "isprs": "official",
}


def tile_coverage(protocol: ProtocolName, names: Sequence[str]) -> str | None:
    """Compare scenes with the test tiles of a protocol.

    Args:
        protocol: The protocol.
        names: Names of the scenes.

    Returns:
        A text for the stamp; None for other protocols, or names that are not those of the ISPRS
        benchmark.

    Example:
        >>> tile_coverage("ssrs", ["top_mosaic_09cm_area5", "top_mosaic_09cm_area15"])
        '2 of 4 test tiles of ssrs on vaihingen; missing 21, 30; not comparable'
    """
    split = _SPLIT_OF.get(protocol)
    tiles = [tile for tile in map(isprs_tile, names) if tile is not None]
    if split is None or not tiles:
        return None
    dataset: IsprsDataset = "potsdam" if "_" in tiles[0] else "vaihingen"
    wanted = SPLITS[dataset][split].test
    missing = [tile for tile in wanted if tile not in tiles]
    others = [tile for tile in tiles if tile not in wanted]
    text = f"{len(wanted) - len(missing)} of {len(wanted)} test tiles of {protocol} on {dataset}"
    if missing:
        text += f"; missing {', '.join(missing)}"
    if others:
        text += f"; other tiles {', '.join(others)}"
    return f"{text}; not comparable" if missing or others else text
