"""PartFolder: the hidden folder beside an output that holds everything unfinished."""

import os
import shutil
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rsmamba.errors import OutputBusyError, OutputError
from rsmamba.geo.locking import FileLock

# Files that GDAL would read along with an output of the same name.
SIDECAR_SUFFIXES = (".aux.xml", ".ovr", ".msk")
_CHUNK_BYTES = 2**20
_MOST_TRIES = 1000


class PartFolder:
    """The hidden folder of an output; one process at a time works in it.

    Args:
        target: The output.

    Attributes:
        target: The output.
        path: The folder, ``.<name>.rsmamba-part``.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.parent / f".{target.name}.rsmamba-part"
        self._lock = FileLock(self.path / "owner")

    def acquire(self) -> None:
        """Make the folder if it is absent, and take it; what an earlier run left stays.

        Raises:
            OutputBusyError: If another run is writing the same output now.
            OutputError: If the folder cannot be made.
        """
        owner = self._take()
        if owner is not None:
            message = (
                f"{owner} is writing {self.target} now; wait for it, or remove {self.path} if it "
                "no longer runs"
            )
            raise OutputBusyError(message)

    def make(self) -> None:
        """Take the folder and empty it of what a killed run left there.

        Raises:
            OutputBusyError: If another run is writing the same output now.
            OutputError: If the folder cannot be made or emptied.
        """
        self.acquire()
        self.discard(keep=())

    def discard(self, *, keep: Sequence[str]) -> None:
        """Remove what is in the folder, which stays taken.

        Args:
            keep: Names that stay.

        Raises:
            OutputError: If something cannot be removed.
        """
        try:
            for path in self.path.iterdir():
                if path.name in keep or path.name == "owner":
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as error:
            raise self._cannot_write(error) from error

    def release(self) -> None:
        """Give the folder up and leave it to a later run."""
        self._lock.release()

    def remove(self) -> None:
        """Remove the folder and everything in it; a second call does nothing."""
        # The owner's file goes last: whoever waits for it must not meet what is being removed.
        with suppress(OutputError):
            self.discard(keep=())
        with suppress(OSError):
            (self.path / "owner").unlink()
            self.path.rmdir()
        self._lock.release()

    def publish(self, finished: Path) -> None:
        """Move a finished file and its sidecar to the output's name, and remove the folder.

        Args:
            finished: The file, in the folder.

        Raises:
            OutputError: If it cannot be moved.
        """
        move_to_target(list_finished(finished), finished.parent, self.target)
        self.remove()

    def _take(self) -> str | None:
        tries = 0
        while True:
            try:
                self.path.mkdir(exist_ok=True)
                return self._lock.acquire()
            except FileNotFoundError as error:
                # The last owner may remove the folder at this moment; or there is nowhere to write,
                # as in /proc, where folders cannot be made.
                tries += 1
                if tries == _MOST_TRIES or not self.target.parent.is_dir():
                    raise self._cannot_write(error) from error
            except OSError as error:
                raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write beside {self.target}: {error.strerror}; give another folder"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """A file that is ready to be given its name.

    Attributes:
        suffix: What follows the output's name: nothing, or that of a sidecar.
        num_bytes: Its size.
        checksum: CRC-32 of its bytes.
    """

    suffix: str
    num_bytes: int
    checksum: int

    @classmethod
    def of(cls, path: Path, *, suffix: str) -> Self:
        """Look at a file.

        Args:
            path: The file.
            suffix: What follows the output's name.

        Returns:
            Its size and checksum.
        """
        return cls(suffix=suffix, num_bytes=path.stat().st_size, checksum=checksum_of(path))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what ``to_dict`` gave.

        Args:
            values: The dictionary.

        Returns:
            The same.
        """
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary.
        """
        return asdict(self)

    def is_at(self, path: Path) -> bool:
        """Say whether a file is this one.

        Args:
            path: The file, which may be absent.

        Returns:
            True if size and checksum are right.
        """
        try:
            return path.stat().st_size == self.num_bytes and checksum_of(path) == self.checksum
        except OSError:
            return False


def list_finished(finished: Path) -> tuple[FinishedFile, ...]:
    """Look at a finished file and its sidecars.

    Args:
        finished: The file.

    Returns:
        The sidecars, then the file itself.
    """
    paths = {suffix: finished.with_name(finished.name + suffix) for suffix in SIDECAR_SUFFIXES}
    paths[""] = finished
    return tuple(
        FinishedFile.of(path, suffix=suffix) for suffix, path in paths.items() if path.exists()
    )


def move_to_target(files: Sequence[FinishedFile], folder: Path, target: Path) -> None:
    """Move finished files to an output's name; those that are there already stay.

    Args:
        files: The files, the output itself last, so that it never lacks a sidecar.
        folder: Where they are.
        target: The output.

    Raises:
        OutputError: If one cannot be moved.
    """
    try:
        for suffix in SIDECAR_SUFFIXES:
            if suffix not in {file.suffix for file in files}:
                target.with_name(target.name + suffix).unlink(missing_ok=True)
        for file in files:
            source = folder / f"{target.name}{file.suffix}"
            if source.exists():
                _sync(source)
                source.replace(target.with_name(target.name + file.suffix))
    except OSError as error:
        message = f"cannot move the finished file to {target}: {error.strerror}"
        raise OutputError(message) from error


def checksum_of(path: Path) -> int:
    """Return the CRC-32 of a file.

    Args:
        path: The file.

    Returns:
        The checksum.
    """
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


# The rename must not reach the disk before the data do.
def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
