"""Readers of labels: class indices, colours, or polygons; all give values on the image's grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ISPRS_CLASSES, ClassScheme, Colour
from rsmamba.data.source import LabelForm, SourceConfig
from rsmamba.data.vectors import PolygonLabels
from rsmamba.errors import DataError, GridMismatchError
from rsmamba.geo.nodata import BoolArray
from rsmamba.geo.painted import PaintedClasses, Painting, UnknownColour, UnknownColours
from rsmamba.geo.scene import Scene
from rsmamba.geo.stack import check_same_pixels
from rsmamba.geo.window import Window


class LabelReader(Protocol):
    """Reads labels of one scene window by window."""

    def read(self, window: Window) -> tuple[NDArray[np.int64], BoolArray]:
        """Return the values (h, w) and where there are any (h, w)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOptions:
    """How labels are written.

    Attributes:
        form: Class indices, colours or polygons.
        colours: Class index by colour, for colours.
        ignored_colours: Colours that mean nothing, for colours.
        unknown: What to do with any other colour.
        attribute: Field of the polygons that holds the class.
        names: Class names, for a field that holds names.
        background: Value outside all polygons; None for no label.
    """

    form: LabelForm = "index"
    colours: Mapping[Colour, int] | None = None
    ignored_colours: tuple[Colour, ...] = ()
    unknown: UnknownColour = "fail"
    attribute: str = ""
    names: tuple[str, ...] = ()
    background: int | None = None


def label_options(config: SourceConfig) -> LabelOptions:
    """Take what a configuration says about labels.

    Args:
        config: Where scenes and labels come from.

    Returns:
        The options; labels of the ISPRS benchmark have its colours whatever the classes are, so
        that `label_map` may join or drop some.
    """
    scheme = ISPRS_CLASSES if config.kind == "isprs" else config.classes
    return LabelOptions(
        form=config.labels or "index",
        colours=colour_values(scheme),
        ignored_colours=config.ignored_colours,
        unknown=config.unknown,
        attribute=config.attribute or "",
        names=config.classes.names,
        background=config.background,
    )


def colour_values(classes: ClassScheme) -> dict[Colour, int]:
    """Return the class index by colour.

    Args:
        classes: The scheme.

    Returns:
        One entry a class; of classes that share a colour the first.
    """
    values: dict[Colour, int] = {}
    for index, colour in enumerate(classes.colours):
        values.setdefault(colour, index)
    return values


def open_labels(path: Path, image: Scene, options: LabelOptions) -> LabelReader:
    """Check labels against their image and make a reader.

    Args:
        path: Label raster, or file of polygons.
        image: The open image.
        options: How labels are written.

    Returns:
        The reader; it holds no open file, so that processes may share it.

    Raises:
        DataError: If the labels are of another form or size.
        GridMismatchError: If both have a transform and the transforms differ.
        SceneError: If the file cannot be read.
    """
    if options.form == "vector":
        return PolygonLabels(
            path,
            image.grid,
            attribute=options.attribute,
            names=options.names,
            background=options.background,
        )
    with Scene.open(path) as mask:
        try:
            check_same_pixels(image, mask)
        except GridMismatchError as error:
            if "same size" not in str(error):
                raise
            raise DataError(str(error)) from error
        if options.form == "colour":
            return ColourLabels(mask, options)
        _check_index(mask)
    return IndexLabels(path)


class IndexLabels:
    """Class indices of a one-band raster.

    Args:
        path: The raster.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, window: Window) -> tuple[NDArray[np.int64], BoolArray]:
        """Read a window.

        Args:
            window: What to read.

        Returns:
            Values (h, w), and where they are not nodata (h, w).
        """
        with Scene.open(self.path) as mask:
            read = mask.read(window)
        return read.values[0].astype(np.int64), read.valid


class ColourLabels:
    """Class indices from the colours of a raster; a palette image is expanded to its colours.

    Args:
        mask: The open raster.
        options: Colours, and what to do with others.

    Raises:
        DataError: If the raster has no red, green and blue bytes.
    """

    def __init__(self, mask: Scene, options: LabelOptions) -> None:
        self.path = Path(mask.path)
        is_palette = mask.count == 1 and mask.colours == ("palette",)
        if mask.dtype != "uint8" or not (len(mask.bidx) == 3 or is_palette):
            msg = (
                f"{mask.path} has {len(mask.bidx)} bands of {mask.dtype}; labels by colour have "
                "red, green and blue as bytes; class indices need data.labels: index"
            )
            raise DataError(msg)
        self._painting = Painting(
            values=dict(options.colours or {}),
            ignored=options.ignored_colours,
            unknown=options.unknown,
        )

    def read(self, window: Window) -> tuple[NDArray[np.int64], BoolArray]:
        """Read a window.

        Args:
            window: What to read.

        Returns:
            Class indices (h, w), and where there is one (h, w).

        Raises:
            DataError: If there is an unknown colour and `unknown` is "fail".
        """
        with Scene.open(self.path, num_bands=3) as mask:
            return self._painted(mask).read(window)

    def unknown_colours(self) -> UnknownColours:
        """Go through the whole raster and count what is not in the palette.

        Returns:
            The count, and the first place.
        """
        with Scene.open(self.path, num_bands=3) as mask:
            return self._painted(mask).unknown_colours()

    def _painted(self, mask: Scene) -> PaintedClasses:
        advice = "set data.unknown to ignore (--unknown ignore)"
        return PaintedClasses(mask, self._painting, advice=advice)


def _check_index(mask: Scene) -> None:
    """Refuse label rasters that cannot be class indices."""
    if len(mask.bidx) != 1 or np.dtype(mask.dtype).kind not in "iu":
        msg = (
            f"{mask.path} has {len(mask.bidx)} bands of {mask.dtype}; a label raster has one band "
            "of integers, the class indices; colours need data.labels: colour"
        )
        raise DataError(msg)
