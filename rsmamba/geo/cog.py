"""From a finished scratch raster to a cloud-optimised GeoTIFF.

Overviews are made as small rasters of their own, joined to the full resolution in a VRT, and
copied by GDAL's COG driver in one pass, so that nothing of the size of the scene is in memory.
"""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import rasterio
import rasterio.shutil

from rsmamba.geo.creation import Creation
from rsmamba.geo.kinds import RasterKind
from rsmamba.geo.pyramid import build_level

# Rows of a storage block of scratch files: low, so that few rows wait to be compressed.
SCRATCH_BLOCK_ROWS = 64
SCRATCH_BLOCK_COLS = 512


def scratch_profile(kind: RasterKind) -> dict[str, Any]:
    """Return creation options of rasters that live only while an output is made.

    Args:
        kind: What the raster holds.

    Returns:
        Options of ``rasterio.open``, without size and georeference.
    """
    return {
        "driver": "GTiff",
        "count": kind.num_bands,
        "dtype": kind.dtype,
        "nodata": kind.nodata,
        "tiled": True,
        "blockxsize": SCRATCH_BLOCK_COLS,
        "blockysize": SCRATCH_BLOCK_ROWS,
        "compress": "ZSTD",
        "zstd_level": 1,
        "interleave": "band",
        "photometric": "MINISBLACK",
        "alpha": "NO",
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
    }


def write_cog(scratch: Path, target: Path, *, kind: RasterKind, creation: Creation) -> None:
    """Copy a raster to a cloud-optimised GeoTIFF with overviews inside.

    Args:
        scratch: The raster at full resolution, with all its tags and georeference.
        target: The file to write, in the folder of the scratch file.
        kind: What the raster holds.
        creation: How it is stored.
    """
    levels = _build_levels(scratch, kind, creation)
    joined = scratch.with_name("joined.vrt")
    rasterio.shutil.copy(scratch, joined, driver="VRT")
    _add_overviews(joined, levels)
    options = creation.cog_options(is_score=kind.classes is None, has_overviews=bool(levels))
    rasterio.shutil.copy(joined, target, driver="COG", **options)


def _build_levels(scratch: Path, kind: RasterKind, creation: Creation) -> list[Path]:
    with rasterio.open(scratch) as dataset:
        side = max(dataset.height, dataset.width)
    levels: list[Path] = []
    while side > creation.blocksize and creation.overviews == "AUTO":
        finer = levels[-1] if levels else scratch
        coarser = scratch.with_name(f"level{len(levels) + 1}.tif")
        build_level(
            finer,
            coarser,
            halve=kind.halve,
            profile=scratch_profile(kind),
            rows=SCRATCH_BLOCK_ROWS,
        )
        levels.append(coarser)
        side = (side + 1) // 2
    return levels


def _add_overviews(joined: Path, levels: list[Path]) -> None:
    tree = ET.parse(joined)
    for band in tree.getroot().iter("VRTRasterBand"):
        for level in levels:
            overview = ET.SubElement(band, "Overview")
            ET.SubElement(overview, "SourceFilename", relativeToVRT="1").text = level.name
            ET.SubElement(overview, "SourceBand").text = band.get("band")
    tree.write(joined, encoding="utf-8")
