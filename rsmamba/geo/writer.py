"""RasterSink: an output raster that is written in rows and appears whole or not at all.

Rows go to a scratch file in a hidden folder beside the output. When all are there, the finished
file is made from it in the same folder and renamed. Axes: pixels are ``(C, h, w)``.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS

from rsmamba.errors import OutputError, ShapeError
from rsmamba.geo.cog import SCRATCH_BLOCK_ROWS, scratch_profile, write_cog
from rsmamba.geo.creation import Creation
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.kinds import RasterKind
from rsmamba.geo.output import check_output, check_space, write_errors
from rsmamba.geo.part_folder import PartFolder
from rsmamba.geo.provenance import tags_of_provenance
from rsmamba.geo.row_buffer import RowBuffer
from rsmamba.geo.sidecar import write_sidecar
from rsmamba.geo.window import Window

# What is written besides the scratch file, as a multiple of it and of the bare pixels.
_FINISHED_SHARE, _WITH_OVERVIEWS = 2.0, 1.4


class RasterSink:
    """One output raster on the grid of a scene.

    Use it as a context manager: what is not published when the block ends is removed.

    Args:
        path: The output.
        grid: Its grid; CRS, transform, GCPs and RPCs are written as they are.
        kind: What it holds, made by ``kinds.class_map`` and its siblings.
        tags: Provenance, written as tags ``RSMAMBA_<NAME>``.
        creation: How it is stored.
        overwrite: Replace the output if it exists.
        work: Folder on the output's disk to work in, from which somebody else publishes and which
            somebody else removes; None makes the hidden one.

    Attributes:
        target: Absolute path of the output.
        grid: Its grid.
        kind: What it holds.
        counts: Number of pixels written of each class, in a class map.

    Raises:
        OutputExistsError: If the output exists, or another run is writing it.
        OutputError: If it cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        grid: GeoGrid,
        kind: RasterKind,
        tags: Mapping[str, str] | None = None,
        creation: Creation | None = None,
        overwrite: bool = False,
        work: Path | None = None,
    ) -> None:
        self.target = check_output(path, overwrite=overwrite or work is not None)
        self.grid = grid
        self.kind = kind
        self.counts = np.zeros(kind.classes.num_classes if kind.classes else 0, dtype=np.int64)
        self._creation = creation or Creation()
        self._part = PartFolder(self.target) if work is None else None
        self._work = work or PartFolder(self.target).path
        self._finished: Path | None = None
        if self._part is not None:
            self._part.make()
        try:
            self._buffer = RowBuffer(
                num_bands=kind.num_bands, block_rows=self._block_rows, dtype=kind.dtype
            )
            self._dataset = self._create_scratch(dict(tags or {}))
        except BaseException:
            self._remove()
            raise

    def write(self, values: NDArray[Any], *, row: int, col: int = 0) -> None:
        """Write pixels; rows from top to bottom, column block after column block, are cheapest.

        Args:
            values: Pixels ``(C, h, w)`` of the kind's type, or ``(h, w)`` for one band.
            row: First row of the raster that they fill.
            col: First column of the raster that they fill.

        Raises:
            ShapeError: If the pixels do not fit the raster.
            OutputError: If the disk is full or writing fails.
        """
        pixels = values[None] if values.ndim == 2 else values
        self._check_fits(pixels, row=row, col=col)
        self._count(pixels)
        for block, window in self._buffer.add(pixels, row=row, col=col):
            self._write_block(block, window)

    def prepare(self) -> None:
        """Make the finished file, still hidden.

        Raises:
            OutputError: If the disk is full or writing fails.
        """
        for block, window in self._buffer.rest():
            self._write_block(block, window)
        scratch = self._scratch_path
        with write_errors(self.target), no_georeference_warning():
            self._dataset.close()
            finished = self._work / self.target.name
            if self._creation.format == "COG":
                check_space(self._work, self._finished_bytes(), target=self.target)
                write_cog(scratch, finished, kind=self.kind, creation=self._creation)
            else:
                scratch.replace(finished)
            _check_readable(finished, self.grid)
            if self.kind.classes is not None:
                write_sidecar(finished, classes=self.kind.classes, counts=self.counts.tolist())
        self._finished = finished

    def publish(self) -> Path:
        """Rename the finished file to the output's name; ``prepare`` comes first.

        Returns:
            Absolute path of the output.

        Raises:
            OutputError: If it is not prepared or cannot be renamed.
        """
        if self._finished is None or self._part is None:
            message = f"{self.target} is not finished; call prepare before publish"
            raise OutputError(message)
        self._part.publish(self._finished)
        return self.target

    def abort(self) -> None:
        """Remove everything unfinished; does nothing after ``publish``."""
        # The file is thrown away, whatever closing it says.
        with suppress(Exception):
            self._dataset.close()
        self._remove()

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was not published."""
        self.abort()

    @property
    def _scratch_path(self) -> Path:
        return self._work / "scratch.tif"

    def _remove(self) -> None:
        if self._part is not None:
            self._part.remove()

    @property
    def _block_rows(self) -> int:
        return SCRATCH_BLOCK_ROWS if self._creation.format == "COG" else self._creation.blocksize

    def _create_scratch(self, tags: dict[str, str]) -> Any:  # noqa: ANN401 - rasterio is untyped
        profile = scratch_profile(self.kind)
        if self._creation.format == "GTiff":
            del profile["zstd_level"]
            stored = self._creation.gtiff_options(
                is_score=self.kind.classes is None, is_float=self.kind.is_float
            )
            profile |= {name.lower(): value for name, value in stored.items()}
        if self.kind.classes is not None:
            profile["photometric"] = "PALETTE"
        with write_errors(self.target), no_georeference_warning():
            check_space(self._work, 0, target=self.target)
            dataset = rasterio.open(self._scratch_path, "w", **profile, **georeference(self.grid))
            dataset.descriptions = self.kind.descriptions
            dataset.scales = (self.kind.scale,) * self.kind.num_bands
            dataset.update_tags(**tags_of_provenance(tags))
            if self.kind.classes is not None:
                dataset.write_colormap(1, _colour_table(self.kind.classes.colours))
            return dataset

    def _finished_bytes(self) -> int:
        if self._creation.compress == "NONE":
            pixel_bytes = self.kind.num_bands * np.dtype(self.kind.dtype).itemsize
            return int(_WITH_OVERVIEWS * self.grid.window.num_pixels * pixel_bytes)
        return int(_FINISHED_SHARE * self._scratch_path.stat().st_size)

    def _check_fits(self, pixels: NDArray[Any], *, row: int, col: int) -> None:
        bands, height, width = pixels.shape
        window = Window(row=row, col=col, height=height, width=width)
        if bands == self.kind.num_bands and self.grid.window.contains(window):
            return
        message = (
            f"pixels of shape {pixels.shape} at row {row}, column {col} do not fit "
            f"{self.target.name}, which has {self.kind.num_bands} bands of {self.grid.height} rows "
            f"and {self.grid.width} columns"
        )
        raise ShapeError(message)

    def _count(self, pixels: NDArray[Any]) -> None:
        # Few classes and rows that stay in the processor's cache: faster than a histogram.
        for index in range(len(self.counts)):
            self.counts[index] += np.count_nonzero(pixels == index)

    def _write_block(self, block: NDArray[Any], window: Window) -> None:
        with write_errors(self.target):
            check_space(self._work, block.nbytes, target=self.target)
            self._dataset.write(block, window=window.to_rasterio())


def publish_together(sinks: Iterable[RasterSink]) -> list[Path]:
    """Finish several outputs; none appears before all are ready.

    Args:
        sinks: The outputs.

    Returns:
        Their absolute paths, in order.

    Raises:
        OutputError: If one cannot be finished.
    """
    outputs = list(sinks)
    for sink in outputs:
        sink.prepare()
    return [sink.publish() for sink in outputs]


def georeference(grid: GeoGrid) -> dict[str, Any]:
    """Return a grid as ``rasterio.open`` takes it.

    Args:
        grid: The grid.

    Returns:
        Size, and whichever of CRS, transform, GCPs and RPCs the grid has.
    """
    options: dict[str, Any] = {"height": grid.height, "width": grid.width}
    if grid.gcps:
        # Points may lack a CRS, for which rasterio takes an empty one and not None.
        options |= {"gcps": list(grid.gcps), "crs": grid.gcps_crs or CRS()}
    else:
        options["crs"] = grid.crs
        if not grid.transform.is_identity:
            options["transform"] = grid.transform
    if grid.rpcs is not None:
        options["rpcs"] = grid.rpcs
    return options


def _colour_table(colours: Iterable[tuple[int, int, int]]) -> dict[int, tuple[int, int, int, int]]:
    return {index: (*colour, 255) for index, colour in enumerate(colours)}


# The last block lies at the end of the file, so a file cut short fails here and not at the user's.
def _check_readable(path: Path, grid: GeoGrid) -> None:
    corner = Window(row=grid.height - 1, col=grid.width - 1, height=1, width=1)
    with rasterio.open(path) as dataset:
        dataset.read(1, window=corner.to_rasterio())
