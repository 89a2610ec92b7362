"""Write a picture and its labels as GeoTIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from sample_data.town.canvas import METRES_PER_PIXEL
from sample_data.town.materials import ABSENT, CLASS_COLOURS, CLASS_NAMES
from sample_data.town.plan import Plan

CRS = "EPSG:32640"
BAND_NAMES = ("red", "green", "blue", "nir")
COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.nir)


def profile(plan: Plan) -> dict[str, Any]:
    """Return the creation options that all files of a plan share."""
    return {
        "driver": "GTiff",
        "height": plan.height,
        "width": plan.width,
        "crs": CRS,
        "transform": from_origin(plan.left, plan.top, METRES_PER_PIXEL, METRES_PER_PIXEL),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }


def write_scene(path: Path, plan: Plan, pixels: NDArray[Any]) -> None:
    """Write bands of shape (bands, height, width) with nodata 0; bytes go as lossless WebP."""
    count = len(pixels)
    packing: dict[str, Any] = {"compress": "deflate", "predictor": 2, "zlevel": 9}
    if pixels.dtype == np.uint8:
        packing = {
            "compress": "webp",
            "webp_lossless": True,
            "webp_level": 100,
            "interleave": "pixel",
            "photometric": "rgb",
        }
    options = profile(plan) | packing
    with rasterio.open(path, "w", count=count, dtype=pixels.dtype, nodata=0, **options) as file:
        file.colorinterp = COLOURS[:count]
        file.write(pixels)
        for band, name in enumerate(BAND_NAMES[:count], start=1):
            file.set_band_description(band, name)


def write_labels(path: Path, plan: Plan, labels: NDArray[np.uint8]) -> None:
    """Write class indices with a colour table and nodata 255."""
    options = profile(plan) | {"compress": "deflate", "zlevel": 9, "photometric": "palette"}
    with rasterio.open(path, "w", count=1, dtype="uint8", nodata=ABSENT, **options) as file:
        file.write(labels, 1)
        file.write_colormap(1, {i: (*rgb, 255) for i, rgb in enumerate(CLASS_COLOURS)})
        file.set_band_description(1, "class")
        file.update_tags(classes=", ".join(f"{i} {n}" for i, n in enumerate(CLASS_NAMES)))
