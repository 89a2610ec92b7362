"""Errors of rsmamba, and the check for optional packages.

Every error is one sentence for the user: what was given, what is allowed, what to do. Each class
also inherits the builtin that it resembles, so that both kinds of caller can catch it.
"""

import importlib
from types import ModuleType


class RsmambaError(Exception):
    """Root of all errors that rsmamba raises on purpose."""


class OptionError(RsmambaError, ValueError):
    """An option has a value, or a combination of values, that is not allowed."""


class BandError(RsmambaError, ValueError):
    """The scene does not have the bands that were asked for or that the model needs."""


class SceneError(RsmambaError, OSError):
    """A scene is missing, is not a raster, or cannot be read."""


class OutputExistsError(RsmambaError, FileExistsError):
    """The output exists already and overwriting was not asked for."""


class OutputBusyError(OutputExistsError):
    """Another run is writing the output now."""


class OutputError(RsmambaError, OSError):
    """The output cannot be written."""


class GridMismatchError(RsmambaError, ValueError):
    """Two rasters that must share a grid do not."""


class ShapeError(RsmambaError, ValueError):
    """A tensor or an array has a shape that is not allowed."""


class ModelFileError(RsmambaError, ValueError):
    """A model file cannot be read as one."""


class DeviceError(RsmambaError, RuntimeError):
    """The compute device that was asked for is not there."""


class BackendError(RsmambaError, RuntimeError):
    """The kernel backend that was asked for cannot run."""


class ConfigError(RsmambaError, ValueError):
    """A configuration file or an override is not valid."""


class DataError(RsmambaError, ValueError):
    """Training or validation data are not usable."""


class NetworkError(RsmambaError, ArithmeticError):
    """A network returned something that is not a score, such as NaN."""


class ClusterError(RsmambaError, RuntimeError):
    """Worker processes or a cluster cannot be used, or are gone."""


class MissingPackageError(RsmambaError, ImportError):
    """An optional package is needed and not installed."""


def require(package: str, *, extra: str) -> ModuleType:
    """Import an optional package, or say how to install it.

    Args:
        package: Import name, such as ``"lightning"``.
        extra: The extra of rsmamba that installs it, such as ``"train"``.

    Returns:
        The imported module.

    Raises:
        MissingPackageError: If the package is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        message = (
            f"{package} is needed for this and is not installed ({error}); "
            f'install it with: pip install "rsmamba[{extra}]"'
        )
        raise MissingPackageError(message) from error
