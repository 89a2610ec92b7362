"""What the exit status of a command means."""

from enum import IntEnum

from rsmamba.errors import (
    BackendError,
    BandError,
    ConfigError,
    DeviceError,
    OptionError,
    OutputExistsError,
    RsmambaError,
)


class ExitCode(IntEnum):
    """Exit status of every command."""

    DONE = 0
    """Everything was done."""
    FAILED = 1
    """An input could not be processed; no output is half done."""
    USAGE = 2
    """The command was not understood or cannot be carried out as given."""
    INTERRUPTED = 130
    """The user stopped it; no output is half done."""


_USAGE_ERRORS = (
    BackendError,
    BandError,
    ConfigError,
    DeviceError,
    OptionError,
    OutputExistsError,
)


def exit_code_of(error: RsmambaError) -> ExitCode:
    """Return the exit status that an error ends the command with.

    Args:
        error: The error.

    Returns:
        USAGE where another command line would help, else FAILED.
    """
    return ExitCode.USAGE if isinstance(error, _USAGE_ERRORS) else ExitCode.FAILED
