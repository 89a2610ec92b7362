"""Quick-look: one picture of a scene, its class map and a legend.

Axes: pixels are ``(C, h, w)``, pictures ``(h, w, 3)``, masks ``(h, w)``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling

from rsmamba.classes import ClassScheme
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.kinds import NODATA
from rsmamba.geo.nodata import BoolArray
from rsmamba.geo.opening import read_errors
from rsmamba.geo.output import check_output, write_errors
from rsmamba.geo.part_folder import PartFolder
from rsmamba.geo.picture import LegendEntry, Panel, compose, hatch, panel_size
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

Picture = NDArray[np.uint8]
# Rows of the picture that are read at a time, so that memory does not grow with the scene.
_STRIP_ROWS = 64


def write_quicklook(
    path: str | Path,
    *,
    scene: Scene,
    class_map: str | Path,
    classes: ClassScheme,
    counts: Sequence[int] | None = None,
    window: Window | None = None,
    caption: str = "",
    overwrite: bool = False,
) -> Path:
    """Write a PNG of a scene beside its class map, with a legend of class shares.

    Args:
        path: The picture.
        scene: The open scene; red, green and blue are shown if it reads them.
        class_map: Its class map.
        classes: The classes of the map.
        counts: Number of pixels of each class; None counts them in the shrunk map.
        window: The part of the scene that the map covers; None for all.
        caption: A line under the scene's name, such as the model.
        overwrite: Replace the picture if it exists.

    Returns:
        Absolute path of the picture.

    Raises:
        OutputExistsError: If the picture exists and ``overwrite`` is False.
        OutputError: If it cannot be written.
        SceneError: If the scene or the map cannot be read.
    """
    target = check_output(path, overwrite=overwrite, suffixes=(".png",))
    part = window or scene.grid.window
    height, width = panel_size(part.height, part.width)
    map_picture, indices = _map_picture(Path(class_map), classes, height=height, width=width)
    pixels = np.bincount(indices.ravel(), minlength=NODATA + 1)
    shown = counts if counts is not None else pixels[: classes.num_classes].tolist()
    gsd_m = scene.grid.gsd_m
    image = compose(
        [
            Panel(title="Scene", picture=scene_picture(scene, part, height=height, width=width)),
            Panel(title="Class map", picture=map_picture),
        ],
        heading=scene.name,
        caption=" · ".join(filter(None, [scene.grid.for_window(part).describe(), caption])),
        legend=_legend(classes, shown, absent=part.num_pixels - sum(shown) if counts else 0),
        metres_per_pixel=gsd_m * part.width / width if gsd_m else None,
    )
    folder = PartFolder(target)
    folder.make()
    try:
        finished = folder.path / target.name
        with write_errors(target):
            image.save(finished, format="PNG", optimize=False, compress_level=6)
        folder.publish(finished)
    finally:
        folder.remove()
    return target


def scene_picture(scene: Scene, part: Window, *, height: int, width: int) -> Picture:
    """Make a picture of a part of a scene.

    Args:
        scene: The open scene; red, green and blue are shown if it reads them.
        part: What to show.
        height: Rows of the picture, at most those of the part.
        width: Columns of the picture, at most those of the part.

    Returns:
        Picture ``(height, width, 3)``, hatched where the scene has no data.

    Raises:
        SceneError: If the scene cannot be read.
    """
    bands = _colour_bands(scene)
    values = np.zeros((len(bands), height, width), dtype=scene.dtype)
    valid = np.zeros((height, width), dtype=np.bool_)
    for row in range(0, height, _STRIP_ROWS):
        stop = min(row + _STRIP_ROWS, height)
        first, last = row * part.height // height, -(-stop * part.height // height)
        source = Window(row=part.row + first, col=part.col, height=last - first, width=part.width)
        pixels = scene.read_decimated(source, height=stop - row, width=width)
        values[:, row:stop] = pixels.values[bands]
        valid[row:stop] = pixels.valid
    colours = np.moveaxis(stretch(values, valid), 0, -1)
    return np.where(valid[:, :, None], colours, hatch(height, width))  # (h, w, 3)


def stretch(values: NDArray[Any], valid: BoolArray) -> NDArray[np.uint8]:
    """Turn values of any type into 8 bits for the eye.

    Args:
        values: Pixels ``(C, h, w)``.
        valid: Valid mask ``(h, w)``.

    Returns:
        The same if they are 8-bit; else the 2nd to 98th percentile of each band over 0 to 255.

    Example:
        >>> ramp = np.arange(0, 10_001, dtype=np.uint16)[None, None, :]
        >>> stretch(ramp, np.ones((1, 10_001), dtype=bool))[0, 0, [0, 200, 5000, 9800]].tolist()
        [0, 0, 128, 255]
    """
    if values.dtype == np.uint8:
        return values
    if not valid.any():
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = np.percentile(values[:, valid], (2, 98), axis=1)
    span = np.where(high > low, high - low, 1.0)
    unit = (values - low[:, None, None]) / span[:, None, None]
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


# Positions in what the scene reads; a single band is shown grey.
def _colour_bands(scene: Scene) -> list[int]:
    if scene.expands_palette:
        return [0, 1, 2]
    read = [scene.colours[number - 1] for number in scene.bidx]
    if {"red", "green", "blue"} <= set(read):
        return [read.index("red"), read.index("green"), read.index("blue")]
    return [0, 1, 2] if scene.num_bands >= 3 else [0]


def _map_picture(
    class_map: Path, classes: ClassScheme, *, height: int, width: int
) -> tuple[Picture, NDArray[np.uint8]]:
    with no_georeference_warning(), rasterio.open(class_map) as dataset:
        whole = Window(row=0, col=0, height=dataset.height, width=dataset.width)
        shrunk = height < dataset.height
        with read_errors(class_map, whole):
            indices: NDArray[np.uint8] = dataset.read(
                1,
                out_shape=(height, width),
                resampling=Resampling.mode if shrunk else Resampling.nearest,
            )
    palette = np.zeros((NODATA + 1, 3), dtype=np.uint8)
    palette[: classes.num_classes] = classes.colours
    picture = palette[indices]
    absent = indices >= classes.num_classes
    return np.where(absent[:, :, None], hatch(height, width), picture), indices


def _legend(classes: ClassScheme, counts: Sequence[int], *, absent: int) -> list[LegendEntry]:
    total = max(sum(counts) + absent, 1)
    entries = [
        LegendEntry(name=name, colour=colour, share=count / total)
        for name, colour, count in zip(classes.names, classes.colours, counts, strict=True)
    ]
    if absent > 0:
        entries.append(LegendEntry(name="no data", colour=None, share=absent / total))
    return entries
