"""Vector files that take polygons one after the other: GeoPackage, GeoParquet and GeoJSON."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS

from rsmamba.errors import require

_ROWS_AT_ONCE = 2000
# Decimals of longitude and latitude: a millimetre.
_DECIMALS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorRow:
    """A polygon and its attributes.

    Attributes:
        geometry: A shapely geometry in map coordinates.
        class_index: Index of the class.
        name: Its name.
        area_m2: Area, square metres; None if unknown.
        confidence: Mean score, 0 to 1; None if unknown.
    """

    geometry: Any
    class_index: int
    name: str
    area_m2: float | None
    confidence: float | None


class VectorFile:
    """Takes rows and hands them on in lots.

    Args:
        write: What takes a lot; the last one may be empty.
    """

    def __init__(self, write: Callable[[list[VectorRow]], None]) -> None:
        self._write = write
        self._rows: list[VectorRow] = []

    def add(self, row: VectorRow) -> None:
        """Take a row.

        Args:
            row: The row.
        """
        self._rows.append(row)
        if len(self._rows) == _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        self._write(self._rows)
        self._rows = []


@contextmanager
def open_vector_file(path: Path, *, crs: CRS | None) -> Iterator[VectorFile]:
    """Open a new vector file.

    Args:
        path: The file; its suffix says the format.
        crs: CRS of the polygons; None if unknown.

    Yields:
        What takes rows.
    """
    opened = {".gpkg": _geopackage, ".parquet": _geoparquet, ".geojson": _geojson}
    with opened[path.suffix.lower()](path, crs) as write:
        file = VectorFile(write)
        yield file
        file.flush()


@contextmanager
def _geopackage(path: Path, crs: CRS | None) -> Iterator[Callable[[list[VectorRow]], None]]:
    pyogrio = require("pyogrio", extra="vector")

    def write(rows: list[VectorRow]) -> None:
        if path.exists() and not rows:
            return
        columns = _columns(rows)
        try:
            with warnings.catch_warnings():
                # A map without a CRS becomes polygons without one.
                warnings.filterwarnings("ignore", message="'crs' was not provided")
                pyogrio.raw.write(
                    path,
                    columns.pop("geometry"),
                    list(columns.values()),
                    list(columns),
                    layer="classes",
                    driver="GPKG",
                    geometry_type="Polygon",
                    crs=None if crs is None else crs.to_wkt(),
                    append=path.exists(),
                )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            # As any other failed write.
            raise OSError(str(error)) from error

    yield write


@contextmanager
def _geoparquet(path: Path, crs: CRS | None) -> Iterator[Callable[[list[VectorRow]], None]]:
    arrow = require("pyarrow", extra="vector")
    parquet = require("pyarrow.parquet", extra="vector")
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": None}
    if crs is not None:
        described = require("pyproj", extra="vector").CRS.from_wkt(crs.to_wkt())
        column["crs"] = described.to_json_dict()
    facts = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    fields = {
        "geometry": arrow.binary(),
        "class": arrow.int32(),
        "name": arrow.string(),
        "area_m2": arrow.float64(),
        "confidence": arrow.float64(),
    }
    schema = arrow.schema(fields.items(), metadata={"geo": json.dumps(facts)})
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def write(rows: list[VectorRow]) -> None:
            columns = _columns(rows)
            arrays = [
                arrow.array(columns[name], type=kind, from_pandas=True)
                for name, kind in fields.items()
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))

        yield write


@contextmanager
def _geojson(path: Path, crs: CRS | None) -> Iterator[Callable[[list[VectorRow]], None]]:
    shapely, pyproj = (require(name, extra="vector") for name in ("shapely", "pyproj"))
    source = pyproj.CRS.from_wkt(crs.to_wkt()) if crs is not None else "OGC:CRS84"
    to_degrees = pyproj.Transformer.from_crs(source, "OGC:CRS84", always_xy=True).transform
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        separator = "\n"

        def write(rows: list[VectorRow]) -> None:
            nonlocal separator
            for row in rows:
                moved = shapely.transform(row.geometry, to_degrees, interleaved=False)
                rounded = shapely.transform(moved, lambda places: places.round(_DECIMALS))
                feature = {
                    "type": "Feature",
                    "properties": _properties(row),
                    # Outer rings run against the clock, as the standard wants it.
                    "geometry": shapely.geometry.mapping(
                        shapely.orient_polygons(rounded, exterior_cw=False)
                    ),
                }
                file.write(separator + json.dumps(feature, ensure_ascii=False, allow_nan=False))
                separator = ",\n"

        yield write
        file.write("\n]}\n")


def _properties(row: VectorRow) -> dict[str, Any]:
    return {
        "class": row.class_index,
        "name": row.name,
        "area_m2": row.area_m2,
        "confidence": row.confidence,
    }


def _columns(rows: list[VectorRow]) -> dict[str, Any]:
    shapely = require("shapely", extra="vector")
    wkb = np.empty(len(rows), dtype=object)
    wkb[:] = [shapely.to_wkb(row.geometry) for row in rows]
    return {
        "geometry": wkb,
        "class": np.array([row.class_index for row in rows], dtype=np.int32),
        "name": np.array([row.name for row in rows], dtype=object),
        "area_m2": np.array([row.area_m2 for row in rows], dtype=np.float64),
        "confidence": np.array([row.confidence for row in rows], dtype=np.float64),
    }
