"""The only place that prints: results on stdout, everything else on stderr."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from typing_extensions import override

from rsmamba.classes import is_control

_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}


class _State:
    """What the options of the running command say about printing."""

    quiet = False
    traceback = False


class _PlainLines(logging.Formatter):
    """Messages of one line in which no name can command a terminal."""

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        return _one_line(super().formatMessage(record))


class Advance(Protocol):
    """Report progress."""

    def __call__(self, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` pixels are finished."""


def configure(*, quiet: bool = False, verbose: int = 0) -> None:
    """Set how much is printed on stderr.

    Args:
        quiet: Errors only, and no progress.
        verbose: 0 warnings, 1 what is done, 2 everything.
    """
    _State.quiet = quiet
    level = _LEVELS[-1 if quiet else min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlainLines("rsmamba: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("rsmamba").setLevel(level)
    # What GDAL remarks on a file's tags; an error comes as an exception.
    logging.getLogger("rasterio").setLevel(level if verbose else logging.ERROR)


def reset() -> None:
    """Forget what an earlier command of this process set."""
    _State.quiet = _State.traceback = False


def show_tracebacks(wanted: bool) -> None:
    """Let errors show where they come from; the callback of ``--traceback``."""
    _State.traceback = _State.traceback or wanted


def tracebacks_wanted() -> bool:
    """Return whether ``--traceback`` was given.

    Returns:
        True if it was.
    """
    return _State.traceback


def out(text: str) -> None:
    """Print a result."""
    sys.stdout.write(printable(text) + "\n")


def out_json(values: Mapping[str, Any]) -> None:
    """Print one machine-readable summary."""
    out(json.dumps(values, indent=2, default=str, allow_nan=False))


def show(values: Mapping[str, Any], *, text: Callable[[], str], as_json: bool) -> None:
    """Print a result as JSON or as text; as nothing where the command is quiet.

    Args:
        values: The result as plain values.
        text: Makes the result readable.
        as_json: Print the values, quiet or not.
    """
    if as_json:
        out(json.dumps(values, indent=2, default=str, allow_nan=False))
    elif not _State.quiet:
        out(text())


def error(message: str) -> None:
    """Print an error as one line."""
    sys.stderr.write(f"rsmamba: error: {printable(' '.join(message.split()))}\n")


def printable(text: str) -> str:
    """Replace what could command a terminal, such as a name with escape sequences.

    Args:
        text: What is to be printed.

    Returns:
        The text with a question mark for each control character but line ends and tabs.
    """
    return "".join("?" if is_control(sign) and sign not in "\n\t" else sign for sign in text)


def _one_line(text: str) -> str:
    """Do as ``printable`` does, with line ends too."""
    return printable(text).replace("\n", "?")


def table(rows: Sequence[Sequence[str]], *, flush_left: bool = False) -> str:
    """Lay out rows in columns; the first column is flush left, the others flush right.

    Args:
        rows: Cells of each row, all of one length.
        flush_left: All columns are flush left.

    Returns:
        The lines, joined.
    """
    rows = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [
            cell.ljust(width) if flush_left else cell.rjust(width)
            for cell, width in zip(rest, widths[1:], strict=True)
        ]
        lines.append("  " + "  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def facts(pairs: Mapping[str, str]) -> str:
    """Lay out names and values in two columns.

    Args:
        pairs: Value by name.

    Returns:
        The lines, joined.
    """
    width = max(len(name) for name in pairs)
    return "\n".join(f"  {name.ljust(width)}  {_one_line(text)}" for name, text in pairs.items())


@contextmanager
def unreadable_remarks_dropped() -> Iterator[None]:
    """Drop what Python prints when GDAL remarks on a damaged file in bytes that are no text.

    rasterio cannot log such a remark, nor raise from the place where it comes from.

    Yields:
        Nothing.
    """
    before = sys.unraisablehook
    printed_before = sys.excepthook

    def hook(given: "sys.UnraisableHookArgs") -> None:
        if not isinstance(given.exc_value, UnicodeDecodeError):
            before(given)

    def printed(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401
        if not isinstance(error, UnicodeDecodeError):
            printed_before(kind, error, trace)

    # Cython prints an error that it cannot raise by both.
    sys.unraisablehook, sys.excepthook = hook, printed
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = before, printed_before


@contextmanager
def progress_bar(description: str, *, in_pixels: bool = True) -> Iterator[Advance]:
    """Show a bar with rate and remaining time on stderr, where that is a terminal.

    Args:
        description: Text before the bar.
        in_pixels: What is counted are pixels, so that a rate can be shown.

    Yields:
        A function to report finished and total pixels, or other things, with.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    stderr = Console(stderr=True)
    hidden = _State.quiet or not stderr.is_terminal
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, disable=hidden, transient=True) as bar:
        task = bar.add_task(description, total=None, rate="")

        def advance(done: int, total: int) -> None:
            seconds = bar.tasks[0].elapsed or 0.0
            rate = f"{done / 1e6 / seconds:.2f} Mpx/s" if seconds > 0 and in_pixels else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield advance


def size_text(size_bytes: float) -> str:
    """Write a number of bytes for people.

    Args:
        size_bytes: The number, 0 or more.

    Returns:
        A text such as "1.5 GiB".
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"


def duration_text(seconds: float) -> str:
    """Write a duration for people.

    Args:
        seconds: The duration, 0 or more.

    Returns:
        A text such as "2 h 05 min".
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
