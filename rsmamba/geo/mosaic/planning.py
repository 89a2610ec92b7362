"""What a mosaic is made of: which maps, where each lies, and on which grid."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rasterio.crs import CRS

from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, GridMismatchError, OptionError, RsmambaError, SceneError
from rsmamba.geo.crs import crs_text
from rsmamba.geo.grid import GeoGrid, MapBounds
from rsmamba.geo.limits import MOST_PIXELS
from rsmamba.geo.mosaic.lattice import Lattice, moved, turns_of, union_of
from rsmamba.geo.mosaic.reading import MapSource, open_map
from rsmamba.geo.provenance import provenance_of_tags
from rsmamba.geo.sidecar import read_names

# GDAL counts rows and columns with 31 bits.
_LONGEST_SIDE = 2**31 - 1
_WIDEST_DEGREES = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapHeader:
    """What a class map says of itself.

    Attributes:
        path: The class map.
        confidence: Its confidence; None if it is not needed.
        grid: Its grid.
        classes: Its classes.
        tags: Provenance: version, model, model_hash, options and others.
    """

    path: Path
    confidence: Path | None
    grid: GeoGrid
    classes: ClassScheme
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A map that is not in the mosaic.

    Attributes:
        path: The map.
        reason: Why.
    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicPlan:
    """A mosaic before it is made.

    Attributes:
        grid: Its grid.
        sources: The maps in it, in the order of the inputs.
        classes: Their classes.
        left_out: The other maps.
        resampled: Number of resampled maps by reason.
        models: Names of the models of the maps, by their hashes.
    """

    grid: GeoGrid
    sources: tuple[MapSource, ...]
    classes: ClassScheme
    left_out: tuple[LeftOut, ...]
    resampled: Mapping[str, int]
    models: Mapping[str, str]

    @property
    def covered(self) -> float:
        """Share of the mosaic that the maps' boxes cover, at most 1."""
        pixels = sum(source.place.window.num_pixels for source in self.sources)
        return min(pixels / self.grid.window.num_pixels, 1.0)


def plan_mosaic(
    maps: Iterable[tuple[Path, Path | None]],
    *,
    crs: CRS | None = None,
    resolution: float | None = None,
) -> MosaicPlan:
    """Find out what a mosaic is made of; nothing but headers is read.

    Args:
        maps: Class maps and the confidence of each, None if it is not needed.
        crs: CRS of the mosaic; None takes that of the first map that has one.
        resolution: Side of its pixels, CRS units; None takes that of the first map.

    Returns:
        The plan.

    Raises:
        DataError: If no map can be placed, or classes differ.
        OptionError: If the mosaic would be absurdly large.
    """
    found = _Found(wanted_crs=crs)
    for path, confidence in maps:
        found.add(path, confidence)
    found.drop_without_crs()
    lattice = _lattice(found, crs=crs, resolution=resolution)
    boxes = found.boxes(lattice)
    turns = turns_of(boxes) if lattice.is_geographic else [0.0] * len(boxes)
    places = [
        lattice.place(one.grid, box, turn=turn)
        for one, box, turn in zip(found.sources, boxes, turns, strict=True)
    ]
    union = union_of(places)
    check_size(lattice.grid_of(union), found.sources, boxes)
    classes = found.classes
    if classes is None:
        raise found.nothing()
    return MosaicPlan(
        grid=lattice.grid_of(union),
        sources=tuple(
            MapSource(
                path=one.path, confidence=one.confidence, grid=one.grid, place=moved(place, union)
            )
            for one, place in zip(found.sources, places, strict=True)
        ),
        classes=classes,
        left_out=tuple(found.left_out),
        resampled=dict(Counter(place.resampled for place in places if place.resampled)),
        models=found.models,
    )


def read_header(path: Path, confidence: Path | None) -> MapHeader:
    """Read what a class map says of itself.

    Args:
        path: The class map; its ``.aux.xml`` must lie beside it.
        confidence: Its confidence; None if it is not needed.

    Returns:
        Its header.

    Raises:
        SceneError: If it cannot be read, or is no class map of rsmamba.
        GridMismatchError: If the confidence has another grid.
    """
    with open_map(path) as dataset:
        grid = GeoGrid.from_dataset(dataset)
        is_map = dataset.dtypes[0] == "uint8" and dataset.colorinterp[0].name == "palette"
        colours = dataset.colormap(1) if is_map else {}
        tags = provenance_of_tags(dataset.tags())
    names = read_names(path)
    if not names or "model" not in tags or not set(range(len(names))) <= set(colours):
        message = f"class map {path} is not one of rsmamba with its .aux.xml; predict it again"
        raise SceneError(message)
    if confidence is not None:
        _check_confidence(confidence, grid)
    shown = tuple(colours[index][:3] for index in range(len(names)))
    classes = ClassScheme(names=tuple(names), colours=shown)
    return MapHeader(path=path, confidence=confidence, grid=grid, classes=classes, tags=tags)


class _Found:
    """Headers of all maps, reduced to what placing and reading them needs."""

    def __init__(self, *, wanted_crs: CRS | None) -> None:
        self.sources: list[MapHeader] = []
        self.left_out: list[LeftOut] = []
        self.classes: ClassScheme | None = None
        self.models: dict[str, str] = {}
        self._needs_crs = wanted_crs is not None
        self._first: Path | None = None
        self._known: dict[str, CRS] = {}

    def add(self, path: Path, confidence: Path | None) -> None:
        """Take a map, or note why it is left out."""
        try:
            header = read_header(path, confidence)
        except RsmambaError as error:
            self.left_out.append(LeftOut(path=path, reason=str(error)))
            return
        classes = self._shared_classes(header)
        why = _unplaced(header.grid)
        if why:
            self.left_out.append(LeftOut(path=path, reason=why))
            return
        self._needs_crs = self._needs_crs or header.grid.crs is not None
        self.models.setdefault(header.tags.get("model_hash", ""), header.tags["model"])
        # Thousands of maps share a few objects, so that a map costs about a kilobyte.
        grid = replace(header.grid, crs=self._shared_crs(header.grid.crs))
        self.sources.append(replace(header, classes=classes, tags={}, grid=grid))

    def drop_without_crs(self) -> None:
        """Leave maps without a CRS out, unless none has one."""
        if not self._needs_crs:
            return
        reason = "its CRS is not known; set it with gdal_edit.py -a_srs"
        bare = [one for one in self.sources if one.grid.crs is None]
        self.left_out += [LeftOut(path=one.path, reason=reason) for one in bare]
        self.sources = [one for one in self.sources if one.grid.crs is not None]

    def boxes(self, lattice: Lattice) -> list[MapBounds]:
        """Return the box of each map, and leave those out that have none."""
        boxes, kept = [], []
        for one in self.sources:
            try:
                boxes.append(lattice.box_of(one.grid))
                kept.append(one)
            except GridMismatchError as error:
                self.left_out.append(LeftOut(path=one.path, reason=str(error)))
        self.sources = kept
        if not kept:
            raise self.nothing()
        return boxes

    def nothing(self) -> DataError:
        """Return the error that says why there is no map."""
        if not self.left_out:
            return DataError("no map is done, so there is nothing to join")
        first, others = self.left_out[0], len(self.left_out) - 1
        more = f"; {others:,} more are left out" if others else ""
        return DataError(f"no map can be placed: {first.path}: {first.reason}{more}")

    def _shared_crs(self, crs: CRS | None) -> CRS | None:
        return None if crs is None else self._known.setdefault(crs.to_wkt(), crs)

    def _shared_classes(self, header: MapHeader) -> ClassScheme:
        if self.classes is None:
            self.classes, self._first = header.classes, header.path
        if header.classes.names != self.classes.names:
            message = (
                f"maps of different classes cannot be joined: {self._first} has "
                f"{', '.join(self.classes.names)}; {header.path} has "
                f"{', '.join(header.classes.names)}; predict them with one model"
            )
            raise DataError(message)
        return self.classes


def _lattice(found: _Found, *, crs: CRS | None, resolution: float | None) -> Lattice:
    if not found.sources:
        raise found.nothing()
    lattice = Lattice.choose(found.sources[0].grid, crs=crs, resolution=resolution)
    if lattice.is_geographic and resolution is not None and resolution >= _WIDEST_DEGREES:
        message = (
            f"mosaic resolution {resolution:g} is in degrees, since the CRS is "
            f"{crs_text(lattice.crs)}; give one such as 0.0001 (about 10 m), or a --mosaic-crs "
            "in metres"
        )
        raise OptionError(message)
    return lattice


def _unplaced(grid: GeoGrid) -> str:
    """Say why a map has no place; nothing if it has one."""
    if not grid.transform.is_identity:
        return ""
    if grid.gcps or grid.rpcs is not None:
        kind = "ground control points" if grid.gcps else "rational polynomial coefficients"
        return f"it has only {kind}; bring the scene to a grid first, with gdalwarp"
    return "it has no georeference; give the scene one, with gdal_edit.py or a world file"


def _check_confidence(confidence: Path, grid: GeoGrid) -> None:
    with open_map(confidence) as dataset:
        other = GeoGrid.from_dataset(dataset)
        dtype = dataset.dtypes[0]
    if dtype not in {"uint8", "float32"} or not other.same_as(grid):
        message = (
            f"{confidence} ({dtype}, {other.describe()}) is not the confidence of a map of "
            f"{grid.describe()}; predict it again"
        )
        raise GridMismatchError(message)


def check_size(grid: GeoGrid, sources: Sequence[MapHeader], boxes: Sequence[MapBounds]) -> None:
    """Refuse a mosaic that no disk holds.

    Args:
        grid: Its grid.
        sources: The maps.
        boxes: Their boxes.

    Raises:
        OptionError: If it has too many pixels, or too long sides.
    """
    pixels = grid.width * grid.height
    if pixels <= MOST_PIXELS and max(grid.width, grid.height) <= _LONGEST_SIDE:
        return
    if grid.width >= grid.height:
        first, last = _farthest([box.left for box in boxes], [box.right for box in boxes])
        between = "west to east"
    else:
        first, last = _farthest([box.bottom for box in boxes], [box.top for box in boxes])
        between = "south to north"
    side = math.sqrt(abs(grid.transform.determinant))
    message = (
        f"the mosaic of {len(sources):,} maps would have {grid.width:,} x {grid.height:,} px of "
        f"{side:g} ({crs_text(grid.crs)}), {pixels:.1e} in all, from {between} between "
        f"{sources[first].path} and {sources[last].path}; at most {MOST_PIXELS:.0e} px and "
        f"{_LONGEST_SIDE:,} a side are written: give a coarser --mosaic-resolution, or batches "
        "of scenes that lie together"
    )
    raise OptionError(message)


def _farthest(starts: Sequence[float], stops: Sequence[float]) -> tuple[int, int]:
    first = min(range(len(starts)), key=starts.__getitem__)
    return first, max(range(len(stops)), key=stops.__getitem__)
