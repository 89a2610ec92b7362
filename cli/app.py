"""The command line of rsmamba: parse, one library call, print.

Errors become one line and an exit status here and nowhere else.
"""

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from rsmamba import __version__
from rsmamba.errors import RsmambaError

from . import console
from .batch import batch
from .data import data
from .evaluate import evaluate
from .exit_codes import ExitCode, exit_code_of
from .info import info
from .models import models
from .predict import predict
from .train import train

app = typer.Typer(
    name="rsmamba",
    help="Segment large georeferenced scenes with vision state-space networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 an input failed, 2 the command cannot be carried out as given.",
)
app.command()(predict)
app.command()(batch)
app.command()(info)
app.command()(train)
app.command()(evaluate)
app.add_typer(models)
app.add_typer(data)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.out(__version__)
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Segment large georeferenced scenes with vision state-space networks."""
    del version
    # Here and not around the application, which sets an exception hook of its own.
    context.with_resource(console.unreadable_remarks_dropped())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words of the command line without the program's name; None takes ``sys.argv``.

    Returns:
        The exit status.
    """
    console.reset()
    try:
        status = app(args=arguments, prog_name="rsmamba", standalone_mode=False)
    except RsmambaError as error:
        if console.tracebacks_wanted():
            raise
        console.error(str(error))
        return exit_code_of(error)
    except typer.TyperException as error:
        console.error(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.error("stopped; no output is half done, and predict goes on where it was")
        return ExitCode.INTERRUPTED
    return status if isinstance(status, int) else ExitCode.DONE


def main() -> None:
    """Run the command line and leave with its exit status."""
    # Importing torch makes hundreds of thousands of objects that live to the end; looking through
    # them for garbage again and again takes a tenth of a short command.
    gc.set_threshold(100_000, 50, 1000)
    status = run()
    # Nor is there any use in taking all of them apart one by one: what has to be done at the end,
    # registered functions do, and files are closed by now.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a closed pipe; main has said what it can
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
