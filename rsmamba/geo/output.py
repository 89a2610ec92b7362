"""Where outputs go: checks before work starts, room on the disk, errors while writing."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from rsmamba.errors import OptionError, OutputError, OutputExistsError
from rsmamba.geo.environment import first_cause, quiet_gdal

TIFF_SUFFIXES = (".tif", ".tiff")
# Left free on the disk, bytes, so that other programs can still finish.
_SPARE_BYTES = 2**20


def check_output(
    path: str | Path,
    *,
    overwrite: bool = False,
    inputs: Sequence[str | Path] = (),
    suffixes: Sequence[str] = TIFF_SUFFIXES,
) -> Path:
    """Check that an output can be written, before any work is done for it.

    Args:
        path: The output.
        overwrite: Replace it if it exists.
        inputs: Files that are read and must not be replaced.
        suffixes: Endings of the file name that are right for the format.

    Returns:
        The absolute path, with symbolic links followed.

    Raises:
        OutputExistsError: If it exists and ``overwrite`` is False.
        OutputError: If it is a folder or an input, or its folder is absent or not writable.
        OptionError: If its name ends like another format.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        message = f"output {path} is a folder; give the name of a file"
        raise OutputError(message)
    if target.suffix.lower() not in ("", *suffixes):
        message = f"output {path} ends in {target.suffix}; give a name that ends in {suffixes[0]}"
        raise OptionError(message)
    _check_folder(target.parent)
    if any(_is_same_file(target, other) for other in inputs):
        message = f"output {path} is also an input; give another name"
        raise OutputError(message)
    if target.exists():
        _check_replaceable(target, overwrite=overwrite)
    return target


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        message = f"output folder {folder} does not exist; make it first"
        raise OutputError(message)
    if not folder.is_dir():
        message = f"output folder {folder} is a file; give another folder"
        raise OutputError(message)
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"output folder {folder} is not writable; change its permissions or give another"
        raise OutputError(message)


def _check_replaceable(target: Path, *, overwrite: bool) -> None:
    if not target.is_file():
        message = f"output {target} is a device, not a file; give another name"
        raise OutputError(message)
    if not overwrite:
        message = f"output {target} exists already; give another name or --overwrite"
        raise OutputExistsError(message)


def _is_same_file(target: Path, other: str | Path) -> bool:
    return target.exists() and Path(other).exists() and target.samefile(other)


def check_space(folder: Path, needed_bytes: int, *, target: Path) -> None:
    """Check that a disk has room, so that GDAL never meets a full one.

    Args:
        folder: A folder on the disk.
        needed_bytes: Bytes that are about to be written.
        target: The output, for the message.

    Raises:
        OutputError: If there is less room.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + _SPARE_BYTES:
        message = (
            f"no room to write {target}: {_size(needed_bytes + _SPARE_BYTES)} more is needed and "
            f"{_size(free)} is free; free some or give another folder"
        )
        raise OutputError(message)


@contextmanager
def write_errors(target: Path) -> Iterator[None]:
    """Turn a failed write into one line that names the output and the room on its disk.

    Args:
        target: The output.

    Yields:
        Nothing.

    Raises:
        OutputError: If GDAL or the system fails to write.
    """
    try:
        with quiet_gdal():
            yield
    except (OutputError, OutputExistsError):
        raise
    except (RasterioError, CPLE_BaseError, OSError) as error:
        if not target.parent.is_dir():
            message = f"cannot write {target}: its folder is gone; make it again and start over"
            raise OutputError(message) from error
        free = shutil.disk_usage(target.parent).free
        message = (
            f"cannot write {target}: {first_cause(error)}; {_size(free)} is free there; free some, "
            "check quotas, or give another folder"
        )
        raise OutputError(message) from error


def _size(num_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.1f} {unit}"
    return f"{num_bytes / 1000:.0f} kB"
