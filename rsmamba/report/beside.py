"""What is written on request: items and styles beside maps, collection and overview of a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rsmamba.errors import RsmambaError
from rsmamba.models.model_header import ModelHeader
from rsmamba.report.maps import read_map
from rsmamba.report.overview import Row, write_overview
from rsmamba.report.qgis import write_style
from rsmamba.report.stac import COLLECTION_NAME, write_collection, write_item

OVERVIEW_NAME = "overview.html"
_EXTRA = {
    "confidence": "_confidence.tif",
    "probabilities": "_probabilities.tif",
    "quicklook": ".png",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What to write.

    Attributes:
        stac: STAC items, and a collection of a batch.
        qml: QGIS styles.
        overview: The overview of a batch.
    """

    stac: bool = False
    qml: bool = False
    overview: bool = False


def write_beside_map(
    path: Path, wanted: Beside, *, model: ModelHeader, extra: dict[str, Path]
) -> list[Path]:
    """Write what is wanted beside one map.

    Args:
        path: The class map.
        wanted: What to write.
        model: The model file.
        extra: Other outputs of the map: "confidence", "probabilities", "quicklook".

    Returns:
        The files.

    Raises:
        DataError: If the map cannot be read.
        OutputExistsError: If a file of that name is not from rsmamba.
        OutputError: If one cannot be written.
    """
    facts = read_map(path)
    written = [write_item(facts, extra=extra, model=model)] if wanted.stac else []
    return [*written, write_style(facts)] if wanted.qml else written


def write_beside_batch(
    out: Path, rows: Sequence[Row], wanted: Beside, *, model: ModelHeader
) -> list[str]:
    """Write what is wanted for the maps of a batch; a map that cannot be read stops no other.

    Args:
        out: Folder of the batch.
        rows: Its scenes.
        wanted: What to write.
        model: The model file.

    Returns:
        What could not be done, a line each.

    Raises:
        OutputExistsError: If collection or overview would replace a file that is not from rsmamba.
        OutputError: If one of them cannot be written.
    """
    collection = out / COLLECTION_NAME
    items: list[Path] = []
    problems: list[str] = []
    for row in rows if wanted.stac or wanted.qml else ():
        if row.status == "failed" or not row.out.exists():
            continue
        try:
            facts = read_map(row.out)
            if wanted.qml:
                write_style(facts)
            if wanted.stac and row.out.with_suffix(".json") == collection:
                problems.append(f"{row.out} would take the name of the collection; name it another")
            elif wanted.stac:
                extra = dict(_extra_of(row.out))
                items.append(write_item(facts, extra=extra, model=model, collection=collection))
        except RsmambaError as error:
            problems.append(str(error))
    if items:
        write_collection(collection, items)
    if wanted.overview:
        write_overview(out / OVERVIEW_NAME, rows)
    return problems


def _extra_of(path: Path) -> Iterator[tuple[str, Path]]:
    for name, ending in _EXTRA.items():
        found = path.with_name(path.stem + ending)
        if found.exists():
            yield name, found
