"""Opening rasters, with every way it fails told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from rsmamba.errors import SceneError
from rsmamba.geo.environment import first_cause, is_local, no_georeference_warning, quiet_gdal
from rsmamba.geo.limits import check_raster
from rsmamba.geo.references import check_references, check_tags
from rsmamba.geo.trust import TRUSTED_DRIVERS, driver_of, remote_allowed, untrusted_format
from rsmamba.geo.window import Window


def open_dataset(path: str | Path) -> DatasetReader:
    """Open a raster for reading.

    Nothing outside the folder of the scene is touched, unless ``trust.remote_access`` allows it.

    Args:
        path: A file; with remote access also an URL or virtual path, of any format that GDAL reads.

    Returns:
        The open dataset, with at least one band.

    Raises:
        SceneError: If nothing is there, it is not a raster, it has no band, it refers to something
            outside its folder, or it claims an absurd size.
    """
    local = is_local(path)
    if not (local or remote_allowed()):
        message = (
            f"scene {path} is not a plain file; copy it here, or read it where it is with "
            "--allow-remote"
        )
        raise SceneError(message)
    if local and not _exists(path):
        message = f"scene {path} does not exist; check the path"
        raise SceneError(message)
    if not (remote_allowed() or Path(path).is_file()):
        kind = "folder" if Path(path).is_dir() else "device"
        message = f"scene {path} is a {kind}; give one raster file"
        raise SceneError(message)
    dataset = _open(path, local=local)
    try:
        with header_errors(path):
            _check(dataset, path)
    except SceneError:
        dataset.close()
        raise
    return dataset


def _open(path: str | Path, *, local: bool) -> DatasetReader:
    options = {}
    # A relative name with a colon would mean something else to GDAL.
    target = Path(path).absolute() if local and ":" in str(path) else path
    try:
        if not remote_allowed():
            options = {"driver": _driver(Path(path))}
        with quiet_gdal(), no_georeference_warning():
            return rasterio.open(target, **options)
    except (RasterioError, CPLE_BaseError, ValueError, OSError) as error:
        if isinstance(error, SceneError):
            raise
        raise SceneError(_why_not(path, error, local=local)) from error


def _driver(path: Path) -> str:
    """Check what a file would read, and tell its format."""
    driver = driver_of(path)
    if driver is None:
        kind = untrusted_format(path)
        if kind is not None:
            message = (
                f"scene {path} is {kind}, a format that is read only if it is trusted; convert it "
                "to GeoTIFF with gdal_translate, or give --allow-remote"
            )
            raise SceneError(message)
        raise SceneError(_why_not(path, ValueError("unknown format"), local=True))
    check_references(path, driver)
    return driver


def _check(dataset: DatasetReader, path: str | Path) -> None:
    """Refuse what is seen only when a raster is open."""
    if dataset.count == 0:
        raise SceneError(_no_bands(path, dataset.subdatasets))
    if not remote_allowed():
        check_tags(dataset, Path(path))
    check_raster(dataset, path)


def _exists(path: str | Path) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        # Texts that are no file names, such as the XML of a VRT.
        return False


@contextmanager
def read_errors(path: str | Path, window: Window) -> Iterator[None]:
    """Turn a failed read into one line that names the file and the place.

    Args:
        path: The scene.
        window: What is being read.

    Yields:
        Nothing.

    Raises:
        SceneError: If GDAL fails to read.
    """
    try:
        with quiet_gdal():
            yield
    except (RasterioError, CPLE_BaseError) as error:
        message = (
            f"cannot read rows {window.row} to {window.row_stop - 1}, columns {window.col} to "
            f"{window.col_stop - 1} of {path}: {_what_is_wrong(error)}"
        )
        raise SceneError(message) from error


@contextmanager
def header_errors(path: str | Path) -> Iterator[None]:
    """Turn a failure to tell what a raster is like into one line.

    Args:
        path: The scene.

    Yields:
        Nothing.

    Raises:
        SceneError: If GDAL fails.
    """
    try:
        with quiet_gdal():
            yield
    except UnicodeDecodeError as error:
        message = f"scene {path} has metadata that is no UTF-8 text; copy it again, or convert it"
        raise SceneError(message) from error
    except (RasterioError, CPLE_BaseError) as error:
        message = f"scene {path} cannot be opened: {_what_is_wrong(error)}"
        raise SceneError(message) from error


def _what_is_wrong(error: Exception) -> str:
    return (
        f"{first_cause(error)}; the file, or one that it refers to, is damaged, incomplete or "
        "missing: copy it again"
    )


def _why_not(path: str | Path, error: Exception, *, local: bool) -> str:
    if not local:
        return f"scene {path} cannot be opened: {first_cause(error)}; check the address and access"
    if Path(path).is_dir():
        return f"scene {path} is a folder; give one raster file"
    if isinstance(error, UnicodeEncodeError):
        return f"scene {path} has a name that is no UTF-8 text, which GDAL needs; rename it"
    if Path(path).stat().st_size == 0:
        return f"scene {path} is an empty file; copy it again"
    if isinstance(error.__context__ or error, PermissionError) or not _is_readable(Path(path)):
        return f"scene {path} may not be read by this user; change its permissions"
    return (
        f"scene {path} is not a raster that GDAL can read ({first_cause(error)}); give a complete "
        f"{', '.join(TRUSTED_DRIVERS)} file, or trust other formats with --allow-remote"
    )


def _is_readable(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True


def _no_bands(path: str | Path, subdatasets: list[str]) -> str:
    if subdatasets:
        return f"scene {path} holds several rasters; give one of them: {', '.join(subdatasets[:4])}"
    return f"scene {path} has no bands; give a raster with at least one"
