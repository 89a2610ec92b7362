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
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [row["name"] for row in rows]
        colours = [_row_colour(row) for row in rows] if rows and _has_colours(rows[0]) else []
    except (OSError, KeyError, ValueError, TypeError) as error:
        message = f"classes cannot be read from {path}: {error}; give name, red, green, blue"
        raise OptionError(message) from error
    return ClassScheme.from_dict({"names": names, "colours": colours})


def class_table(path: str | Path, *, own: Sequence[str] | None, classes: ClassScheme) -> ClassTable:
    """Make the table from a raster's values to class indices.

    Args:
        path: The raster, for the message.
        own: Names of the raster's values; None takes values as class indices.
        classes: The classes to come out.

    Returns:
        Class index, ignore index, or -1 of each value 0 to 255.

    Raises:
        DataError: If a name is not one of the classes.
    """
    table = np.full(256, REFUSED, np.int16)
    table[classes.ignore_index] = classes.ignore_index
    if own is None:
        table[: classes.num_classes] = np.arange(classes.num_classes)
        return table
    wanted = {plain_name(name): index for index, name in enumerate(classes.names)}
    unknown = [name for name in own if plain_name(name) not in wanted]
    if unknown:
        message = (
            f"{path} holds the classes {', '.join(own)}; {', '.join(unknown)} is not among "
            f"{', '.join(classes.names)}: take values as class indices with --labels index, or "
            "give --classes"
        )
        raise DataError(message)
    for value, name in enumerate(own):
        table[value] = wanted[plain_name(name)]
    return table


def mapped_table(table: ClassTable, label_map: Mapping[int, int] | None) -> ClassTable:
    """Send some values elsewhere.

    Args:
        table: Class index of each value.
        label_map: Class index or ignore index by value; the other values stay.

    Returns:
        The changed table.

    Raises:
        OptionError: If a value is outside 0 to 255, or a target is no class.
    """
    changed = table.copy()
    allowed = set(table.tolist()) - {REFUSED}
    for value, target in (label_map or {}).items():
        if not 0 <= value <= 255 or target not in allowed:
            message = (
                f"label map {value}={target} is not possible; map values 0 to 255 to class indices "
                "or the ignore index 255"
            )
            raise OptionError(message)
        changed[value] = target
    return changed


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
