"""From all strips of a scene to finished files that only lack their names."""

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rsmamba.geo.environment import raster_environment
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.journal import append_entry, read_entries
from rsmamba.geo.output import write_errors
from rsmamba.geo.part_folder import FinishedFile, PartFolder, list_finished, move_to_target
from rsmamba.geo.strip_store import Strip, StripStore
from rsmamba.geo.writer import RasterSink
from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.outputs import OutputPaths

_ENTRIES = "assembled.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """Outputs that are complete and wait for their names.

    Attributes:
        place: Name of the folders that they are in, beside each output.
        files: Files of each output, by its name.
        class_pixels: Pixels of each class.
    """

    place: str
    files: Mapping[str, tuple[FinishedFile, ...]]
    class_pixels: tuple[int, ...]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what ``to_dict`` gave.

        Args:
            values: The dictionary.

        Returns:
            The same.
        """
        files = {
            name: tuple(FinishedFile.from_dict(file) for file in files)
            for name, files in values["files"].items()
        }
        return cls(place=values["place"], files=files, class_pixels=tuple(values["class_pixels"]))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary.
        """
        files = {name: [file.to_dict() for file in files] for name, files in self.files.items()}
        return {"place": self.place, "files": files, "class_pixels": list(self.class_pixels)}

    def is_whole(self, paths: OutputPaths, key: str) -> bool:
        """Say whether every file is still there, under its name or waiting for it.

        Args:
            paths: Where the outputs go.
            key: Key of the work.

        Returns:
            True if every file has its size and checksum in one of the two places.
        """
        for name, target in paths.rasters().items():
            folder = place_of(target, key, self.place)
            for file in self.files[name]:
                final = target.with_name(target.name + file.suffix)
                if not (file.is_at(folder / final.name) or file.is_at(final)):
                    return False
        return True

    def raster(self, name: str, *, paths: OutputPaths, key: str) -> Path:
        """Return where a raster is now.

        Args:
            name: Its name, such as "class_map".
            paths: Where the outputs go.
            key: Key of the work.

        Returns:
            The waiting file, or the output itself.
        """
        target = paths.rasters()[name]
        waiting = place_of(target, key, self.place) / target.name
        return waiting if waiting.exists() else target

    def publish(self, paths: OutputPaths, key: str) -> None:
        """Give the outputs their names, the class map last.

        Args:
            paths: Where they go.
            key: Key of the work.
        """
        for name, target in reversed(paths.rasters().items()):
            move_to_target(self.files[name], place_of(target, key, self.place), target)


def place_of(target: Path, key: str, place: str) -> Path:
    """Return where an output is assembled.

    Args:
        target: The output.
        key: Key of the work.
        place: Name of the folder.

    Returns:
        The folder, on the disk of the output.
    """
    return PartFolder(target).path / key / place


def assemble(
    store: StripStore,
    strips: list[Strip],
    *,
    paths: OutputPaths,
    grid: GeoGrid,
    config: PredictConfig,
    tags: Mapping[str, str],
) -> Assembled:
    """Make the finished files, and note them in the folder of the strips.

    The bytes depend on the pixels only, not on how they were cut into strips.

    Args:
        store: The strips.
        strips: Strips that cover the outputs, in order.
        paths: Where the outputs go.
        grid: Their grid.
        config: How they are stored.
        tags: Provenance.

    Returns:
        What is ready.
    """
    place = f"assembly-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    files, counts = {}, tuple[int, ...]()
    with raster_environment():
        for name, target in paths.rasters().items():
            with write_errors(target):
                work = place_of(target, store.folder.name, place)
                work.mkdir(parents=True)
                with RasterSink(
                    target,
                    grid=grid,
                    kind=store.kinds[name],
                    tags=tags,
                    creation=config.creation,
                    work=work,
                ) as sink:
                    row = 0
                    for rows in store.read(strips, output=name, width=grid.width):
                        sink.write(rows, row=row)
                        row += rows.shape[1]
                    sink.prepare()
                files[name] = list_finished(work / target.name)
                counts = counts or tuple(int(count) for count in sink.counts)
    done = Assembled(place=place, files=files, class_pixels=counts)
    with write_errors(paths.class_map):
        append_entry(store.folder / _ENTRIES, done.to_dict())
    return done


def find_assembled(folder: Path, *, paths: OutputPaths) -> Assembled | None:
    """Find out whether an earlier run came as far as finished files.

    Args:
        folder: The folder of the strips.
        paths: Where the outputs go.

    Returns:
        The newest that is whole; None if there is none.
    """
    entries = [Assembled.from_dict(entry) for entry in read_entries(folder / _ENTRIES)]
    for entry in reversed(entries):
        if entry.is_whole(paths, folder.name):
            return entry
    return None


def is_being_published(target: Path) -> bool:
    """Say whether an earlier run stopped while it gave outputs their names.

    Args:
        target: The class map.

    Returns:
        True if outputs that exist may be the work of that run.
    """
    return any(PartFolder(target).path.glob(f"*/{_ENTRIES}"))
