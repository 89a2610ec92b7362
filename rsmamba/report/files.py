"""Writing one finished file: beside its name first, then one rename."""

from collections.abc import Callable
from pathlib import Path

from rsmamba.geo.output import check_output, write_errors
from rsmamba.geo.part_folder import PartFolder


def write_file(
    path: str | Path, write: Callable[[Path], object], *, suffix: str, overwrite: bool
) -> Path:
    """Write a file so that nothing half done ever has its name.

    Args:
        path: The file.
        write: Writes the content to the path that it is given.
        suffix: Ending that the name must have, or none.
        overwrite: Replace the file if it exists.

    Returns:
        Absolute path of the file.

    Raises:
        OutputExistsError: If it exists and `overwrite` is False.
        OutputError: If it cannot be written.
        OptionError: If its name ends like another format.
    """
    target = check_output(path, overwrite=overwrite, suffixes=(suffix,))
    folder = PartFolder(target)
    folder.make()
    try:
        finished = folder.path / target.name
        with write_errors(target):
            write(finished)
        folder.publish(finished)
    finally:
        folder.remove()
    return target
