"""A mosaic as a GDAL VRT: a text that names the maps, and that GDAL joins when it is read.

Source: GDAL 3.10, "VRT -- GDAL Virtual Format". Later sources are drawn over earlier ones; a
``ComplexSource`` with ``NODATA`` leaves its absent pixels out.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from rsmamba.classes import ClassScheme
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.kinds import NODATA
from rsmamba.geo.mosaic.reading import MapSource, nearest_start
from rsmamba.geo.output import write_errors
from rsmamba.geo.part_folder import PartFolder
from rsmamba.geo.provenance import tags_of_provenance
from rsmamba.geo.sidecar import category_names, write_names


def write_vrt(
    target: Path,
    sources: Sequence[MapSource],
    *,
    grid: GeoGrid,
    classes: ClassScheme,
    tags: Mapping[str, str],
) -> Path:
    """Write a VRT of maps whose pixels are those of the mosaic, or shifted by a part of one.

    It appears whole or not at all.

    Args:
        target: The output, absolute; an existing one is replaced.
        sources: The maps, those on top last.
        grid: Grid of the mosaic.
        classes: Its classes.
        tags: Provenance, written as tags ``RSMAMBA_<NAME>``.

    Returns:
        The output.

    Raises:
        OutputBusyError: If another run is writing it.
        OutputError: If it cannot be written.
    """
    folder = PartFolder(target)
    folder.make()
    try:
        finished = folder.path / target.name
        with write_errors(target):
            with finished.open("w", encoding="utf-8") as file:
                file.writelines(_lines(target, sources, grid=grid, classes=classes, tags=tags))
            write_names(finished, classes=classes)
        folder.publish(finished)
    finally:
        folder.remove()
    return target


def read_vrt_tags(path: Path) -> dict[str, str]:
    """Read the tags of a VRT without opening what it names.

    Args:
        path: A file.

    Returns:
        Text by name; empty if it is no VRT.
    """
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError):
        return {}
    found = root.findall("./Metadata/MDI")
    return {str(item.get("key")): item.text or "" for item in found}


def _lines(
    target: Path,
    sources: Sequence[MapSource],
    *,
    grid: GeoGrid,
    classes: ClassScheme,
    tags: Mapping[str, str],
) -> Iterator[str]:
    """Yield the text piece by piece, since there may be many maps."""
    yield f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">\n'
    if grid.crs is not None:
        yield _text(_element("SRS", grid.crs.to_wkt(version="WKT2_2019")))
    steps = grid.transform.to_gdal()
    yield _text(_element("GeoTransform", ", ".join(map(repr, map(float, steps)))))
    metadata = ET.Element("Metadata")
    for name, text in tags_of_provenance(tags).items():
        ET.SubElement(metadata, "MDI", key=name).text = text
    yield _text(metadata)
    yield '<VRTRasterBand dataType="Byte" band="1">\n'
    yield _text(_element("Description", "class"))
    yield _text(_element("NoDataValue", str(NODATA)))
    yield _text(_element("ColorInterp", "Palette"))
    yield _text(category_names(classes))
    yield _text(_colour_table(classes))
    for source in sources:
        yield _text(_source(source, target.parent, grid))
    yield "</VRTRasterBand>\n</VRTDataset>\n"


def _source(source: MapSource, folder: Path, grid: GeoGrid) -> ET.Element:
    element = ET.Element("ComplexSource")
    name = Path(os.path.relpath(source.path, folder)).as_posix()
    element.append(_element("SourceFilename", name, relativeToVRT="1"))
    element.append(_element("SourceBand", "1"))
    own = {"RasterXSize": str(source.grid.width), "RasterYSize": str(source.grid.height)}
    ET.SubElement(element, "SourceProperties", own | {"DataType": "Byte"})
    ET.SubElement(element, "SrcRect", _rectangle(0, 0, source.grid.width, source.grid.height))
    ET.SubElement(element, "DstRect", _place(source, grid))
    element.append(_element("NODATA", str(NODATA)))
    return element


def _place(source: MapSource, grid: GeoGrid) -> dict[str, str]:
    """Return where a map lies, moved to whole pixels as the nearest neighbour is."""
    own, steps = source.grid.bounds, grid.transform
    col = nearest_start((own.left + source.place.turn - steps.c) / steps.a)
    row = nearest_start((own.top - steps.f) / steps.e)
    return _rectangle(col, row, source.grid.width, source.grid.height)


def _rectangle(col: int, row: int, width: int, height: int) -> dict[str, str]:
    return {"xOff": str(col), "yOff": str(row), "xSize": str(width), "ySize": str(height)}


def _colour_table(classes: ClassScheme) -> ET.Element:
    table = ET.Element("ColorTable")
    for red, green, blue in classes.colours:
        entry = {"c1": str(red), "c2": str(green), "c3": str(blue), "c4": "255"}
        ET.SubElement(table, "Entry", entry)
    return table


def _element(tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.Element(tag, attributes)
    element.text = text
    return element


def _text(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode") + "\n"
