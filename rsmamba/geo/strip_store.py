"""StripStore: finished strips of one or more output rasters, kept until all are there.

A strip is some rows of a column block. Its pixels lie in a small GeoTIFF for each output; a line of
a journal says where it belongs, with the sizes and checksums of its files. A strip counts once its
line is whole and its files fit it, so work can stop at any moment and go on from there. Each writer
has files and a journal of its own: several processes may write at once. Axes: pixels are
``(C, h, w)``.
"""

import logging
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from rsmamba.geo.cog import SCRATCH_BLOCK_ROWS, scratch_profile
from rsmamba.geo.environment import no_georeference_warning
from rsmamba.geo.journal import append_entry, read_entries
from rsmamba.geo.kinds import RasterKind
from rsmamba.geo.output import check_space, write_errors
from rsmamba.geo.part_folder import checksum_of
from rsmamba.geo.window import Window

_LOGGER = logging.getLogger(__name__)

# A strip is stored once it has so many pixels, and rows of a storage block.
_PIXELS_OF_A_STRIP = 2**20
_JOURNALS = "journal-*.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A finished strip.

    Attributes:
        window: Where it lies in the outputs.
        name: What its files' names begin with.
        sizes: Bytes of its file, by output.
        checksums: CRC-32 of its file, by output.
    """

    window: Window
    name: str
    sizes: Mapping[str, int]
    checksums: Mapping[str, int]

    def path(self, folder: Path, output: str) -> Path:
        """Return the file of one output.

        Args:
            folder: The folder of the store.
            output: Name of the output.

        Returns:
            The path.
        """
        return folder / f"{self.name}.{output}.tif"

    def is_whole(self, folder: Path) -> bool:
        """Say whether all files of the strip are what was written.

        Args:
            folder: The folder of the store.

        Returns:
            True if sizes and checksums are right.
        """
        try:
            return all(
                self.path(folder, output).stat().st_size == size
                and checksum_of(self.path(folder, output)) == self.checksums[output]
                for output, size in self.sizes.items()
            )
        except OSError:
            return False


class StripStore:
    """The strips of one piece of work, in a folder.

    Args:
        folder: The folder, which exists.
        kinds: What each output holds, by name.
        target: The main output, for messages.

    Attributes:
        folder: The folder.
        kinds: What each output holds, by name.
    """

    def __init__(self, folder: Path, *, kinds: Mapping[str, RasterKind], target: Path) -> None:
        self.folder = folder
        self.kinds = kinds
        self.target = target

    def strips(self, *, within: Window | None = None) -> list[Strip]:
        """List what is finished, without strips whose files are not what was written.

        Args:
            within: Leave out strips that do not touch this part; None takes all.

        Returns:
            The strips, from top to bottom.
        """
        strips = [
            _strip_of(entry)
            for journal in sorted(self.folder.glob(_JOURNALS))
            for entry in read_entries(journal)
        ]
        if within is not None:
            strips = [strip for strip in strips if strip.window.intersection(within)]
        whole = [strip for strip in strips if strip.is_whole(self.folder)]
        if len(whole) < len(strips):
            _LOGGER.warning(
                "%s: %d of %d finished strips are damaged and made again",
                self.target,
                len(strips) - len(whole),
                len(strips),
            )
        return sorted(whole, key=lambda strip: (strip.window.row, strip.window.col))

    def writer(self, block: Window) -> "StripWriter":
        """Begin to write a column block.

        Args:
            block: Where it lies in the outputs.

        Returns:
            What takes its rows.
        """
        return StripWriter(self, block)

    def read(self, strips: list[Strip], *, output: str, width: int) -> Iterator[NDArray[Any]]:
        """Read an output from top to bottom.

        Args:
            strips: Strips that cover it, in order.
            output: Its name.
            width: Its columns.

        Yields:
            Rows ``(C, h, width)``, a storage block at a time; the memory is used again.
        """
        kind = self.kinds[output]
        rows = np.empty((kind.num_bands, SCRATCH_BLOCK_ROWS, width), dtype=kind.dtype)
        height = max(strip.window.row_stop for strip in strips)
        waiting, opened = list(strips), list[tuple[Strip, Any]]()
        with no_georeference_warning():
            for row in range(0, height, SCRATCH_BLOCK_ROWS):
                band = Window(
                    row=row, col=0, height=min(SCRATCH_BLOCK_ROWS, height - row), width=width
                )
                while waiting and waiting[0].window.row < band.row_stop:
                    strip = waiting.pop(0)
                    opened.append((strip, rasterio.open(strip.path(self.folder, output))))
                for strip, dataset in opened:
                    _copy_shared(strip.window, dataset, rows, band)
                yield rows[:, : band.height]
                for strip, dataset in opened:
                    if strip.window.row_stop <= band.row_stop:
                        dataset.close()
                opened = [pair for pair in opened if pair[0].window.row_stop > band.row_stop]


class StripWriter:
    """Takes the rows of a column block from top to bottom and stores them strip by strip.

    Args:
        store: Where the strips go.
        block: Where the block lies in the outputs.
    """

    def __init__(self, store: StripStore, block: Window) -> None:
        self._store = store
        self._block = block
        self._writer = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._row = block.row
        self._filled = 0
        self._count = 0
        rows = max(SCRATCH_BLOCK_ROWS, -(-_PIXELS_OF_A_STRIP // block.width))
        self._rows = {
            name: np.empty((kind.num_bands, min(rows, block.height), block.width), dtype=kind.dtype)
            for name, kind in store.kinds.items()
        }

    @property
    def room(self) -> int:
        """Rows that the next ``add`` may bring."""
        return len(next(iter(self._rows.values()))[0]) - self._filled

    def add(self, pixels: Mapping[str, NDArray[Any]]) -> None:
        """Take the next rows.

        Args:
            pixels: Pixels ``(C, h, w)`` of every output by name, at most ``room`` rows.

        Raises:
            OutputError: If the disk is full or writing fails.
        """
        for name, values in pixels.items():
            stop = self._filled + values.shape[1]
            self._rows[name][:, self._filled : stop] = values
        self._filled += next(iter(pixels.values())).shape[1]
        if self.room == 0:
            self.flush()

    def flush(self) -> None:
        """Store the rows that wait.

        Raises:
            OutputError: If the disk is full or writing fails.
        """
        if self._filled == 0:
            return
        window = Window(
            row=self._row, col=self._block.col, height=self._filled, width=self._block.width
        )
        name = f"strip-{self._writer}-{self._count:06d}"
        sizes, checksums = {}, {}
        with write_errors(self._store.target), no_georeference_warning():
            for output, rows in self._rows.items():
                path = self._store.folder / f"{name}.{output}.tif"
                self._write(path, rows[:, : self._filled], kind=self._store.kinds[output])
                sizes[output], checksums[output] = path.stat().st_size, checksum_of(path)
            strip = Strip(window=window, name=name, sizes=sizes, checksums=checksums)
            append_entry(self._store.folder / f"journal-{self._writer}.jsonl", asdict(strip))
        self._row += self._filled
        self._filled = 0
        self._count += 1

    def _write(self, path: Path, pixels: NDArray[Any], *, kind: RasterKind) -> None:
        check_space(self._store.folder, pixels.nbytes, target=self._store.target)
        _, height, width = pixels.shape
        profile = scratch_profile(kind) | {"height": height, "width": width}
        with rasterio.open(path, "w", **profile) as dataset:
            dataset.write(pixels)


def _strip_of(entry: dict[str, Any]) -> Strip:
    return Strip(**entry | {"window": Window(**entry["window"])})


def _copy_shared(
    window: Window,
    dataset: Any,  # noqa: ANN401 - rasterio is untyped
    rows: NDArray[Any],
    band: Window,
) -> None:
    shared = window.intersection(band)
    if shared is not None:
        inside = shared.shifted(rows=-window.row, cols=-window.col)
        place = shared.shifted(rows=-band.row).slices
        rows[:, place[0], place[1]] = dataset.read(window=inside.to_rasterio())
