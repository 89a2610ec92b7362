"""GDAL's settings while rsmamba reads and writes rasters.

GDAL would take a twentieth of the machine's memory as block cache; a scene is read once from top to
bottom, so a small cache serves as well and keeps the memory of a long run flat.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning

CACHE_BYTES = 64 * 2**20
# GDAL reads these through its own file systems, so no local path can be checked.
_REMOTE_PREFIXES = ("/vsi", "http://", "https://", "s3://", "gs://", "az://", "zip+", "zip://")


@contextmanager
def raster_environment(*, cache_bytes: int = CACHE_BYTES) -> Iterator[None]:
    """Hold GDAL's block cache small while rasters are read and written.

    Enter it once around the whole work, in the thread that starts it: the cache is shared by all
    threads, and each leaving thread would otherwise give the others their old cache back.

    Args:
        cache_bytes: Size of the block cache, bytes.

    Yields:
        Nothing.
    """
    with rasterio.Env(GDAL_CACHEMAX=cache_bytes):
        yield


@contextmanager
def quiet_gdal() -> Iterator[None]:
    """Route GDAL's messages of this thread to Python's exceptions and logs.

    A thread without an environment of its own would print them to standard error.

    Yields:
        Nothing.
    """
    with rasterio.Env():
        yield


@contextmanager
def no_georeference_warning() -> Iterator[None]:
    """Silence the warning about rasters without a georeference; they are welcome here.

    Yields:
        Nothing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def is_local(path: str | Path) -> bool:
    """Say whether a path names something in the local file system.

    Args:
        path: A path, a URL or one of GDAL's virtual paths.

    Returns:
        True for plain paths.

    Example:
        >>> is_local("scene.tif"), is_local("https://example.org/scene.tif")
        (True, False)
    """
    text = str(path)
    # "NETCDF:file.nc:band" names a part of a file; a drive letter is one character.
    is_part = ":" in text and len(text.split(":", 1)[0]) > 1 and not Path(text).exists()
    return not (text.startswith(_REMOTE_PREFIXES) or is_part)


def first_cause(error: BaseException) -> str:
    """Return the message at the root of an error, as one line.

    Args:
        error: An error, often "see previous exception for details".

    Returns:
        The message of the first error of the chain.
    """
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
