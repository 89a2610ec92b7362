"""The ``.aux.xml`` beside a class map: category names and an attribute table.

GeoTIFF has no place for them; GDAL and QGIS read them from this file.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from rsmamba.classes import ClassScheme

# GDAL's numbers for the type and the meaning of a column of an attribute table.
_INTEGER, _REAL, _STRING = 0, 1, 2
_COLUMNS = (
    ("Value", _INTEGER, 5),
    ("Count", _REAL, 1),
    ("Class", _STRING, 2),
    ("Red", _INTEGER, 6),
    ("Green", _INTEGER, 7),
    ("Blue", _INTEGER, 8),
)


def write_sidecar(raster: Path, *, classes: ClassScheme, counts: Sequence[int]) -> Path:
    """Write category names and an attribute table beside a class map.

    Args:
        raster: The class map.
        classes: Its classes.
        counts: Number of pixels of each class.

    Returns:
        The sidecar.
    """
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    band.append(category_names(classes))
    band.append(_attribute_table(classes, counts))
    return _write(root, raster)


def write_names(raster: Path, *, classes: ClassScheme) -> Path:
    """Write category names alone beside a class map whose pixels are not counted.

    Args:
        raster: The class map.
        classes: Its classes.

    Returns:
        The sidecar.
    """
    root = ET.Element("PAMDataset")
    ET.SubElement(root, "PAMRasterBand", band="1").append(category_names(classes))
    return _write(root, raster)


def read_names(raster: str | Path) -> list[str]:
    """Read the category names beside a class map.

    Args:
        raster: The class map, a local file.

    Returns:
        The names; none if there is no readable sidecar.
    """
    try:
        root = ET.parse(f"{raster}.aux.xml").getroot()
    except (OSError, ET.ParseError):
        return []
    found = root.findall("./PAMRasterBand[@band='1']/CategoryNames/Category")
    return [category.text or "" for category in found]


def category_names(classes: ClassScheme) -> ET.Element:
    """Return the class names as GDAL stores them.

    Args:
        classes: The classes.

    Returns:
        The XML element.
    """
    element = ET.Element("CategoryNames")
    for name in classes.names:
        ET.SubElement(element, "Category").text = name
    return element


def _attribute_table(classes: ClassScheme, counts: Sequence[int]) -> ET.Element:
    table = ET.Element("GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(_COLUMNS):
        column = ET.SubElement(table, "FieldDefn", index=str(index))
        ET.SubElement(column, "Name").text = name
        ET.SubElement(column, "Type").text = str(kind)
        ET.SubElement(column, "Usage").text = str(usage)
    rows = zip(classes.names, classes.colours, counts, strict=True)
    for index, (name, colour, count) in enumerate(rows):
        row = ET.SubElement(table, "Row", index=str(index))
        for value in (index, count, name, *colour):
            ET.SubElement(row, "F").text = str(value)
    return table


def _write(root: ET.Element, raster: Path) -> Path:
    ET.indent(root)
    path = raster.with_name(raster.name + ".aux.xml")
    path.write_bytes(ET.tostring(root, encoding="utf-8") + b"\n")
    return path
