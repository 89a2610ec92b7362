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
from rsmamba.geo.window import Window


def open_dataset(path: str | Path) -> DatasetReader:
    """Open a raster for reading.

    Args:
        path: A file, URL or virtual path of any format that GDAL reads.

    Returns:
        The open dataset, with at least one band.

    Raises:
        SceneError: If nothing is there, it is not a raster, or it has no band.
    """
    local = is_local(path)
    if local and not Path(path).exists():
        message = f"scene {path} does not exist; check the path"
        raise SceneError(message)
    try:
        with quiet_gdal(), no_georeference_warning():
            dataset = rasterio.open(path)
    except (RasterioError, CPLE_BaseError, ValueError, OSError) as error:
        raise SceneError(_why_not(path, error, local=local)) from error
    if dataset.count == 0:
        message = _no_bands(path, dataset.subdatasets)
        dataset.close()
        raise SceneError(message)
    return dataset


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
    if Path(path).stat().st_size == 0:
        return f"scene {path} is an empty file; copy it again"
    if isinstance(error.__context__ or error, PermissionError) or not _is_readable(Path(path)):
        return f"scene {path} may not be read by this user; change its permissions"
    return (
        f"scene {path} is not a raster that GDAL can read ({first_cause(error)}); give a GeoTIFF, "
        "VRT, JPEG 2000, PNG or similar that is complete"
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
