"""Class indices of a map or a reference, read window by window."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme, Colour
from rsmamba.errors import DataError
from rsmamba.evaluation.naming import REFUSED, ClassTable
from rsmamba.evaluation.windows import READ_SIDE, squares
from rsmamba.geo.painted import PaintedClasses, Painting, UnknownColour
from rsmamba.geo.scene import Scene
from rsmamba.geo.window import Window

LabelForm = Literal["auto", "index", "colour"]
_UNKNOWN = -1


class LabelSource(Protocol):
    """Anything that gives class indices of a window."""

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Return class indices (h, w), the ignore index where there is none."""


class IndexLabels:
    """Class indices of a one-band raster.

    Args:
        scene: The open raster.
        table: Class index, ignore index, or -1 for each value 0 to 255.
        advice: What to do about a value that is no class.
        far: Class index or ignore index of values outside 0 to 255.
        ignore_index: Index of pixels without a class.

    Raises:
        DataError: If the raster has several bands.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        table: ClassTable,
        advice: str,
        far: Mapping[int, int] | None = None,
        ignore_index: int = 255,
    ) -> None:
        if scene.num_bands != 1:
            message = (
                f"{scene.path} has {scene.num_bands} bands of {scene.dtype}; class indices are one "
                "band of whole numbers, colours three bands of bytes (--labels colour)"
            )
            raise DataError(message)
        self._scene = scene
        self._table = table
        self._advice = advice
        self._far = dict(far or {})
        self._ignore_index = ignore_index

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window.

        Args:
            window: What to read.

        Returns:
            Class indices (h, w), the ignore index where there is none.

        Raises:
            DataError: If a value is no class.
            SceneError: If the file is damaged there.
        """
        pixels = self._scene.read(window)
        values: NDArray[Any] = pixels.values[0]
        indices = self._look_up(values)
        indices[~pixels.valid] = self._ignore_index
        refused = indices == REFUSED
        if refused.any():
            row, col = np.argwhere(refused)[0]
            allowed = set(np.flatnonzero(self._table != REFUSED).tolist()) | set(self._far)
            message = (
                f"{self._scene.path} holds the value {values[row, col].item()} at row "
                f"{int(row) + window.row}, col {int(col) + window.col} ({int(refused.sum())} such "
                f"pixels around there); allowed are {_listed(sorted(allowed))}: {self._advice}"
            )
            raise DataError(message)
        return indices.astype(np.uint8)

    def _look_up(self, values: NDArray[Any]) -> NDArray[np.int16]:
        """Class index, ignore index or -1 of each value."""
        inside = (values >= 0) & (values <= 255)
        if values.dtype.kind == "f":
            inside &= values == np.floor(values)
        indices = self._table[np.where(inside, values, 0).astype(np.uint8)]
        indices[~inside] = REFUSED
        for value, target in self._far.items():
            indices[values == value] = target
        return indices


class ColourLabels:
    """Class indices of a raster that paints each class in a colour of its own.

    Args:
        scene: The open raster, three bands of bytes.
        classes: The classes and their colours.
        ignored_colours: Colours that mean no class.
        unknown: What to do with any other colour.

    Raises:
        DataError: If the raster is not red, green and blue, or two classes share a colour.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        classes: ClassScheme,
        ignored_colours: tuple[Colour, ...] = (),
        unknown: UnknownColour = "fail",
    ) -> None:
        if scene.num_bands != 3 or scene.dtype != "uint8":
            message = (
                f"{scene.path} has {scene.num_bands} bands of {scene.dtype}; labels by colour are "
                "red, green and blue bytes; class indices are read with --labels index"
            )
            raise DataError(message)
        _check_colours(classes)
        painting = Painting(
            values={colour: index for index, colour in enumerate(classes.colours)},
            ignored=ignored_colours,
            unknown=unknown,
        )
        self._painted = PaintedClasses(scene, painting, advice="take --unknown ignore")
        self._ignore_index = classes.ignore_index

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window.

        Args:
            window: What to read.

        Returns:
            Class indices (h, w), the ignore index where there is none.

        Raises:
            DataError: If a colour is not in the palette and unknown ones are to fail.
            SceneError: If the file is damaged there.
        """
        indices, known = self._painted.read(window)
        indices[~known] = self._ignore_index
        return indices.astype(np.uint8)


def largest_label(scene: Scene, *, left_out: Sequence[int] = ()) -> int:
    """Find the largest class index of a raster without names.

    Args:
        scene: The open raster.
        left_out: Values that do not count.

    Returns:
        The largest value below 255; -1 if there is none.
    """
    largest = _UNKNOWN
    grid = scene.grid
    for window in squares(height=grid.height, width=grid.width, side=READ_SIDE):
        pixels = scene.read(window)
        counted = pixels.valid & (pixels.values[0] < 255)
        if left_out:
            counted &= ~np.isin(pixels.values[0], left_out)
        values = pixels.values[0][counted]
        if values.size:
            largest = max(largest, int(values.max()))
    return largest


def _check_colours(classes: ClassScheme) -> None:
    """Refuse classes that cannot be told apart by colour."""
    first: dict[Colour, str] = {}
    for name, colour in zip(classes.names, classes.colours, strict=True):
        if colour in first:
            message = (
                f"classes {first[colour]} and {name} both have the colour {colour}; labels by "
                "colour need another one for each class: give --classes, a CSV file with name, "
                "red, green, blue"
            )
            raise DataError(message)
        first[colour] = name


def _listed(values: list[int]) -> str:
    """Write a run of numbers shortly."""
    classes = [value for value in values if value != 255]
    run = classes == list(range(len(classes)))
    text = f"0 to {len(classes) - 1}" if run and len(classes) > 2 else ", ".join(map(str, classes))
    return f"{text} and 255 (no class)"
