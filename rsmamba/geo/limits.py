"""Limits on what a raster may claim to be, since a few bytes of header can claim anything."""

from pathlib import Path

import numpy as np
import psutil
from rasterio.io import DatasetReader

from rsmamba.errors import SceneError

MOST_PIXELS = 10**13
MOST_BANDS = 4096
# GDAL decodes these as one piece.
_UNDIVIDED_DRIVERS = frozenset({"PNG", "WEBP", "GIF"})
_SHARE_OF_AVAILABLE = 0.25


def check_raster(dataset: DatasetReader, path: str | Path) -> None:
    """Refuse a raster that claims a size which no machine reads.

    Args:
        dataset: The open raster.
        path: Where it is, for messages.

    Raises:
        SceneError: If it has too many pixels or bands, or blocks that do not fit a quarter of the
            memory that is available.
    """
    pixels = dataset.width * dataset.height
    if pixels > MOST_PIXELS:
        message = (
            f"scene {path} claims {dataset.width:,} x {dataset.height:,} px, {pixels:.1e} in all; "
            f"at most {MOST_PIXELS:.0e} are read: cut it into smaller scenes"
        )
        raise SceneError(message)
    if dataset.count > MOST_BANDS:
        message = (
            f"scene {path} claims {dataset.count:,} bands; at most {MOST_BANDS:,} are read: "
            "extract those that are needed"
        )
        raise SceneError(message)
    limit_bytes = int(psutil.virtual_memory().available * _SHARE_OF_AVAILABLE)
    check_block_bytes(block_bytes(dataset), limit_bytes=limit_bytes, name=str(path))


def block_bytes(dataset: DatasetReader) -> int:
    """Return the memory that reading one pixel takes: a whole block, of all bands if interleaved.

    Args:
        dataset: The open raster.

    Returns:
        Bytes of the largest block.
    """
    shapes = list(dataset.block_shapes)
    if dataset.driver in _UNDIVIDED_DRIVERS:
        shapes = [(dataset.height, dataset.width)] * dataset.count
    each = [
        rows * cols * _item_bytes(dtype)
        for (rows, cols), dtype in zip(shapes, dataset.dtypes, strict=True)
    ]
    interleaved = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE", "PIXEL") == "PIXEL"
    return sum(each) if interleaved else max(each, default=0)


def check_block_bytes(needed: int, *, limit_bytes: int, name: str) -> None:
    """Refuse a raster whose blocks do not fit in memory.

    Args:
        needed: Bytes of one block.
        limit_bytes: Bytes that are there.
        name: Name of the scene for the message.

    Raises:
        SceneError: If one block is larger than the limit.
    """
    if needed > limit_bytes:
        message = (
            f"one block of scene {name} takes {needed / 2**20:,.0f} MiB to read and "
            f"{limit_bytes / 2**20:,.0f} MiB are allowed; store it in tiles (gdal_translate -co "
            "TILED=YES), or allow more memory"
        )
        raise SceneError(message)


def _item_bytes(dtype: str) -> int:
    # GDAL has complex integers, which NumPy has not.
    return 4 if dtype == "complex_int16" else int(np.dtype(dtype).itemsize)
