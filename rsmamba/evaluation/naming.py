"""Class names of rasters, and tables that bring one order of classes into another."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, OptionError
from rsmamba.geo.environment import is_local
from rsmamba.geo.opening import open_dataset
from rsmamba.geo.sidecar import read_names

ClassTable = NDArray[np.int16]
# Entry of a table for values that are no class.
REFUSED = -1
_ALIASES = {
    "impervioussurface": "impervioussurfaces",
    "impervious": "impervioussurfaces",
    "impsurf": "impervioussurfaces",
    "buildings": "building",
    "lowveg": "lowvegetation",
    "trees": "tree",
    "cars": "car",
    "clutterbackground": "clutter",
    "background": "clutter",
}


def raster_classes(path: str | Path) -> ClassScheme | None:
    """Read the class names and colours that come with a raster.

    Args:
        path: A class raster; names are looked for in the `.aux.xml` beside it.

    Returns:
        Its classes; None if it has no names.
    """
    names = read_names(path) if is_local(path) else []
    if not names or len(set(names)) != len(names):
        return None
    colours = raster_colours(path)
    scheme = ClassScheme.from_names(names)
    if all(index in colours for index in range(len(names))):
        own = tuple(colours[index] for index in range(len(names)))
        return ClassScheme(names=tuple(names), colours=own)
    return scheme


def raster_colours(path: str | Path) -> dict[int, tuple[int, int, int]]:
    """Read the colour table of a one-band raster.

    Args:
        path: A raster.

    Returns:
        Red, green and blue by value; empty without a colour table.
    """
    with open_dataset(path) as dataset:
        if dataset.count != 1 or dataset.colorinterp[0] is not ColorInterp.palette:
            return {}
        return {index: colour[:3] for index, colour in dataset.colormap(1).items()}


def check_palette(path: str | Path, classes: ClassScheme) -> None:
    """Refuse class indices whose own colours say that they are in another order.

    Args:
        path: A one-band raster without class names.
        classes: The classes that its values are taken as.

    Raises:
        DataError: If its colour table gives a value the colour of another class.
    """
    table = raster_colours(path)
    own = [table.get(index) for index in range(classes.num_classes)]
    for value, colour in enumerate(own):
        if colour is None or own.count(colour) > 1 or classes.colours.count(colour) != 1:
            continue
        index = classes.colours.index(colour)
        if index != value:
            message = (
                f"the colour table of {path} paints value {value} in {colour}, the colour of "
                f"{classes.names[index]} and not of {classes.names[value]}; go by the colours with "
                "--labels colour, or by the values with --labels index and perhaps --label-map"
            )
            raise DataError(message)


def read_classes(path: str | Path) -> ClassScheme:
    """Read classes from a CSV file with the columns name, red, green, blue.

    Args:
        path: The file; `r`, `g`, `b` may stand for the colours, and colours may be missing.

    Returns:
        The classes in the order of the file.

    Raises:
        OptionError: If the file cannot be read, or a row is not a class.
    """
    try:
        # Tables that were saved by a spreadsheet begin with a mark.
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
        colours = [_row_colour(row) for row in rows] if rows and _has_colours(rows[0]) else []
    except (OSError, csv.Error, ValueError, TypeError) as error:
        message = f"classes cannot be read from {path}: {error}; give name,red,green,blue"
        raise OptionError(message) from error
    if rows and "name" not in rows[0]:
        columns = ", ".join(map(str, rows[0]))
        message = f"{path} has the columns {columns}; give name,red,green,blue with commas"
        raise OptionError(message)
    names = [row["name"] for row in rows]
    return ClassScheme.from_dict({"names": names, "colours": colours})


def class_table(
    path: str | Path,
    *,
    own: Sequence[str] | None,
    classes: ClassScheme,
    label_map: Mapping[int, int] | None = None,
) -> ClassTable:
    """Make the table from a raster's values to class indices.

    Args:
        path: The raster, for the message.
        own: Names of the raster's values; None takes values as class indices.
        classes: The classes to come out.
        label_map: Class index or ignore index by value, whatever its name; the others stay.

    Returns:
        Class index, ignore index, or -1 of each value 0 to 255.

    Raises:
        DataError: If a name is not one of the classes.
    """
    table = np.full(256, REFUSED, np.int16)
    table[classes.ignore_index] = classes.ignore_index
    moved = {value: target for value, target in (label_map or {}).items() if 0 <= value <= 255}
    if own is None:
        table[: classes.num_classes] = np.arange(classes.num_classes)
    else:
        wanted = {plain_name(name): index for index, name in enumerate(classes.names)}
        kept = {value: name for value, name in enumerate(own) if value not in moved}
        unknown = [name for name in kept.values() if plain_name(name) not in wanted]
        if unknown:
            message = (
                f"{path} holds the classes {', '.join(own)}; {', '.join(unknown)} is not among "
                f"{', '.join(classes.names)}: take values as class indices with --labels index, or "
                "give --classes"
            )
            raise DataError(message)
        for value, name in kept.items():
            table[value] = wanted[plain_name(name)]
    for value, target in moved.items():
        table[value] = target
    return table


def check_label_map(label_map: Mapping[int, int] | None, classes: ClassScheme) -> None:
    """Refuse label maps to something that is no class.

    Args:
        label_map: Class index or ignore index by value.
        classes: The classes.

    Raises:
        OptionError: If a target is neither a class index nor the ignore index.
    """
    for value, target in (label_map or {}).items():
        if not 0 <= target < classes.num_classes and target != classes.ignore_index:
            message = (
                f"label map {value}={target} is not possible; map values to class indices, 0 to "
                f"{classes.num_classes - 1}, or the ignore index {classes.ignore_index}"
            )
            raise OptionError(message)


def plain_name(name: str) -> str:
    """Reduce a class name to what makes it the same class.

    Args:
        name: A class name.

    Returns:
        Its letters and digits in lower case, with usual short forms written out.

    Example:
        >>> plain_name("Low-Veg."), plain_name("clutter/background")
        ('lowvegetation', 'clutter')
    """
    plain = re.sub(r"[\W_]+", "", name.lower())
    return _ALIASES.get(plain, plain)


def _has_colours(row: Mapping[str, str]) -> bool:
    return {"red", "green", "blue"} <= set(row) or {"r", "g", "b"} <= set(row)


def _row_colour(row: Mapping[str, str]) -> list[int]:
    names = ("red", "green", "blue") if "red" in row else ("r", "g", "b")
    return [int(row[name]) for name in names]
