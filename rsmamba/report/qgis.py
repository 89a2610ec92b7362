"""A QGIS style beside a class map: its legend has the names of the classes at once.

QGIS loads ``NAME.qml`` with ``NAME.tif``. The elements are those that QGIS 3 writes for a raster
with a palette.
"""

from pathlib import Path
from xml.etree import ElementTree as ET

from rsmamba.classes import ClassScheme
from rsmamba.report.maps import MapFacts, write_derived

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def write_style(facts: MapFacts) -> Path:
    """Write the style of a map beside it.

    Args:
        facts: The map.

    Returns:
        The style, ``NAME.qml``.

    Raises:
        OutputExistsError: If there is a style that rsmamba did not write.
        OutputError: If it cannot be written.
    """
    return write_style_of(facts.path, facts.classes)


def write_style_of(path: Path, classes: ClassScheme) -> Path:
    """Write the style of a mosaic beside it.

    Args:
        path: The mosaic.
        classes: Its classes.

    Returns:
        The style, ``NAME.qml``.

    Raises:
        OutputExistsError: If there is a style that rsmamba did not write.
        OutputError: If it cannot be written.
    """
    return write_derived(path.with_suffix(".qml"), style(classes))


def style(classes: ClassScheme) -> str:
    """Make a style.

    Args:
        classes: The classes.

    Returns:
        The text of a QML file.
    """
    root = ET.Element("qgis", version="3.28", styleCategories="Symbology")
    root.append(ET.Comment(" rsmamba "))
    renderer = ET.SubElement(
        ET.SubElement(root, "pipe"), "rasterrenderer",
        type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor="",
    )  # fmt: skip
    palette = ET.SubElement(renderer, "colorPalette")
    for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        red, green, blue = colour
        shown = f"#{red:02x}{green:02x}{blue:02x}"
        entry = {"value": str(index), "color": shown, "alpha": "255", "label": name}
        ET.SubElement(palette, "paletteEntry", entry)
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"
