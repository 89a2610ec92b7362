"""Trust: what a scene may make GDAL open besides itself.

A scene from outside is data, but several formats can name other files, servers or databases. Only
what a plain file holds, and what lies in its own folder, is read unless ``remote_access`` is given.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from rsmamba.errors import SceneError

# The first bytes of a file decide, not its name, so that a VRT or the description of a map service
# is known under any name. GDAL is told the driver and tries no other.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
)
# Formats that can name other files in ways that are not checked here, or that few need.
_UNTRUSTED_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"EHFA_HEADER_TAG", "an Erdas Imagine file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 or netCDF file"),
    (b"\x0e\x03\x13\x01", "an HDF4 file"),
    (b"CDF", "a netCDF file"),
    (b"NITF", "a NITF file"),
    (b"SIMPLE  =", "a FITS file"),
    (b"PK\x03\x04", "a ZIP archive"),
)
_GRID_WORDS = (b"ncols", b"nrows", b"xllc", b"yllc", b"cellsize")
_VRT_MARK = b"<VRTDataset"
# GDAL looks for the mark of a VRT in the first 1024 bytes; a few more cost nothing.
_HEAD_BYTES = 4096

# Vector formats that hold their features themselves, by how they start.
_VECTOR_MAGIC: dict[str, tuple[bytes, ...]] = {
    ".gpkg": (b"SQLite format 3\0",),
    ".shp": (b"\0\0\x27\x0a",),
    ".fgb": (b"fgb",),
    ".parquet": (b"PAR1",),
    ".geoparquet": (b"PAR1",),
}
_KML_STARTS = (b"<kml", b"<?xml", b"<!--")

TRUSTED_DRIVERS = (
    "GTiff", "VRT", "JP2OpenJPEG", "PNG", "JPEG", "GIF", "BMP", "WEBP", "ENVI", "AAIGrid",
)  # fmt: skip

_ALLOWED: ContextVar[bool] = ContextVar("remote_access", default=False)


@contextmanager
def remote_access(allowed: bool = True) -> Iterator[None]:
    """Say whether scenes may come from, and refer to, places outside their folder.

    It holds for the thread that enters it. Enter it only for scenes whose makers are trusted: with
    it a scene can make this process read any file and call any server that the user can reach.

    Args:
        allowed: True lifts the restrictions.

    Yields:
        Nothing.
    """
    token = _ALLOWED.set(allowed)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def remote_allowed() -> bool:
    """Say whether the restrictions are lifted in this thread.

    Returns:
        True inside ``remote_access``.
    """
    return _ALLOWED.get()


def driver_of(path: Path) -> str | None:
    """Tell the format of a file from its first bytes.

    Args:
        path: A file.

    Returns:
        GDAL's name of one of ``TRUSTED_DRIVERS``; None if it is none of these formats.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _VRT_MARK in head:
        return "VRT"
    for magic, driver in _MAGIC:
        if head.startswith(magic):
            return driver
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.lstrip().lower().startswith(_GRID_WORDS):
        return "AAIGrid"
    return "ENVI" if _has_envi_header(path) else None


def untrusted_format(path: Path) -> str | None:
    """Name the format of a file that is read only if it is trusted.

    Args:
        path: A file.

    Returns:
        Such as "an Erdas Imagine file"; None if it is not known.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return next((name for magic, name in _UNTRUSTED_MAGIC if head.startswith(magic)), None)


def check_vectors(path: Path) -> None:
    """Refuse a vector file whose content is of another kind than its name says.

    Descriptions of other sources, such as OGR's VRT, are files of any name that open others.

    Args:
        path: An existing vector file.

    Raises:
        SceneError: If it is not what it is called, and ``remote_access`` is not given.
    """
    suffix = path.suffix.lower()
    if remote_allowed() or suffix in {".geojson", ".json"}:
        return
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if suffix == ".kml":
        is_right = b"<kml" in head and head.lstrip(b"\xef\xbb\xbf \r\n").startswith(_KML_STARTS)
    else:
        is_right = head.startswith(_VECTOR_MAGIC.get(suffix, ()))
    if not is_right or b"<OGRVRT" in head:
        known = ", ".join((*_VECTOR_MAGIC, ".kml", ".geojson"))
        message = (
            f"vector file {path} is not what its name says; give one of {known}, or trust other "
            "formats with --allow-remote"
        )
        raise SceneError(message)


def _has_envi_header(path: Path) -> bool:
    """An ENVI image is bare numbers; its header is a text of the same name beside it."""
    for header in (path.with_name(f"{path.name}.hdr"), path.with_suffix(".hdr")):
        if header != path and header.is_file():
            with header.open("rb") as file:
                return file.read(4) == b"ENVI"
    return False
