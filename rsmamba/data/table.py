"""A CSV file that lists images, their labels and their split."""

import csv
from dataclasses import dataclass
from pathlib import Path

from rsmamba.data.pairs import ScenePair
from rsmamba.errors import DataError
from rsmamba.geo.stack import RasterPart

_REQUIRED = ("image", "mask")
_SEPARATOR = ";"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row of a table.

    Attributes:
        pair: Image and labels.
        split: Its split, such as "train"; None where the table has no such column.
    """

    pair: ScenePair
    split: str | None


def read_table(path: Path) -> tuple[TableRow, ...]:
    """Read a table of pairs.

    The columns `image` and `mask` name files, relative to the table's folder or absolute; several
    rasters of one scene are joined by ";". The column `split` may say train, validation or anything
    else, which is left out of training.

    Args:
        path: CSV file in UTF-8 with a header.

    Returns:
        Its rows in order.

    Raises:
        DataError: If it cannot be read, lacks a column or has no row, or a row names no file, a
            missing file, or an image for the second time.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or ()]
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"cannot read the table {path}: {reason}; give a CSV file in UTF-8 as data.table"
        raise DataError(msg) from error
    missing = [name for name in _REQUIRED if name not in columns]
    if missing or not lines:
        what = f"no column {missing[0]}" if missing else "no row"
        msg = f"the table {path} has {what}; its columns are image, mask and, if wanted, split"
        raise DataError(msg)
    rows = tuple(_row(path, number, dict(_stripped(row))) for number, row in lines)
    _refuse_repeats(path, rows)
    return rows


def _stripped(row: dict[str, str | None]) -> list[tuple[str, str]]:
    """Cells without the blanks around them; surplus cells have no name and are left out."""
    return [(name.strip(), (text or "").strip()) for name, text in row.items() if name]


def _row(path: Path, number: int, cells: dict[str, str]) -> TableRow:
    """Make a pair of one line."""
    images = [path.parent / name.strip() for name in cells["image"].split(_SEPARATOR) if name]
    masks = [path.parent / cells["mask"]] if cells["mask"] else []
    if not images or not masks:
        msg = f"line {number} of {path} names no {'mask' if images else 'image'}; fill it in"
        raise DataError(msg)
    for file in (*images, *masks):
        if not file.is_file():
            msg = f"line {number} of {path} names {file}, which does not exist; check the path"
            raise DataError(msg)
    stacked = tuple(RasterPart(path=file) for file in images[1:])
    pair = ScenePair(image=images[0], mask=masks[0], stacked=stacked)
    return TableRow(pair=pair, split=cells.get("split"))


def _refuse_repeats(path: Path, rows: tuple[TableRow, ...]) -> None:
    """Name an image that two rows have: it would be drawn twice, or be in two splits."""
    seen: set[Path] = set()
    for row in rows:
        if row.pair.image in seen:
            msg = f"{path} names the image {row.pair.image} twice; give each image one row"
            raise DataError(msg)
        seen.add(row.pair.image)
