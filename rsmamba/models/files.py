"""Writing files of weights."""

import os
import tempfile
from pathlib import Path

from rsmamba.errors import OutputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when complete.

    Args:
        path: The file, replaced if it exists.
        content: What it holds.

    Raises:
        OutputError: If it cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            try:
                part.write(content)
                part.close()  # a full disk may show only now
                # Temporary files are private; a model file has the rights of any other new file.
                umask = os.umask(0)
                os.umask(umask)
                Path(part.name).chmod(0o666 & ~umask)
                Path(part.name).replace(path)
            finally:
                Path(part.name).unlink(missing_ok=True)
    except OSError as error:
        message = f"cannot write model file {path}: {error.strerror or error}"
        raise OutputError(message) from error
