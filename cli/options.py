"""Options that several commands share, and readers for the values of some."""

import re
from typing import Annotated

import typer

from rsmamba.errors import OptionError

from . import console

Model = Annotated[
    str, typer.Option("--model", "-m", help="Bundled model by name, or a .safetensors model file.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON summary on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say what is done; -vv says more.")
]
Traceback = Annotated[
    bool,
    typer.Option(
        "--traceback",
        is_eager=True,
        callback=console.show_tracebacks,
        help="Show where an error comes from.",
    ),
]
Stac = Annotated[
    bool, typer.Option("--stac", help="Also write a STAC item beside each map (NAME.json).")
]
Qml = Annotated[
    bool, typer.Option("--qml", help="Also write a QGIS style beside each map (NAME.qml).")
]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote", help="Trust scenes: URLs, and files outside the scene's own folder."
    ),
]
Bidx = Annotated[
    str | None,
    typer.Option("--bidx", "-b", help="Bands of the scene for the model, from 1, such as 4,3,2."),
]

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def parse_bidx(text: str | None) -> tuple[int, ...] | None:
    """Read band numbers such as "4,3,2" or "1..3".

    Args:
        text: The option's value; None if it was not given.

    Returns:
        The band numbers; None if the option was not given.

    Raises:
        OptionError: If the text has another form.

    Example:
        >>> parse_bidx("4,1..3")
        (4, 1, 2, 3)
    """
    if text is None:
        return None
    bands: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\.\.(\d+))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            message = f"--bidx {text!r} is not a list of band numbers; write it like 4,3,2 or 1..3"
            raise OptionError(message)
        bands.extend(range(first, last + 1))
    return tuple(bands)


def parse_size(text: str | None) -> int | None:
    """Read an amount of memory such as "2GB", "512 MiB" or "0.5g".

    Args:
        text: The option's value; None if it was not given.

    Returns:
        Bytes; None if the option was not given.

    Raises:
        OptionError: If the text has another form or the amount is 0.

    Example:
        >>> parse_size("2GB")
        2147483648
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", text.lower())
    if match is None or float(match[1]) == 0:
        message = f"--mem-limit {text!r} is not an amount of memory; write it like 2GB or 512MB"
        raise OptionError(message)
    return int(float(match[1]) * _UNITS[match[2]])


def parse_numbers(text: str | None, *, option: str, names: str) -> tuple[float, ...] | None:
    """Read comma separated numbers.

    Args:
        text: The option's value; None if it was not given.
        option: The option, for the error.
        names: What the numbers are, comma separated, such as "LEFT,BOTTOM,RIGHT,TOP".

    Returns:
        The numbers; None if the option was not given.

    Raises:
        OptionError: If there are too many or too few, or one is not a number.
    """
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(names.split(",")):
        message = f"{option} {text!r} is not of the form {names}"
        raise OptionError(message)
    return numbers


def parse_prune(text: str | None) -> float | str | None:
    """Read a keep ratio, or "auto".

    Args:
        text: The option's value; None if it was not given.

    Returns:
        The ratio, the word as it was given, or None.

    Example:
        >>> parse_prune("0.6"), parse_prune("auto")
        (0.6, 'auto')
    """
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def parse_resources(texts: list[str] | None) -> dict[str, float]:
    """Read what a task asks of a Dask worker, such as "GPU=1".

    Args:
        texts: The values of a repeated option.

    Returns:
        Amount by name.

    Raises:
        OptionError: If one has another form.
    """
    try:
        return {name: float(amount) for name, amount in (text.split("=") for text in texts or [])}
    except ValueError as error:
        message = f"--resource {texts} is not of the form NAME=AMOUNT, such as GPU=1"
        raise OptionError(message) from error


def parse_pairs(texts: list[str] | None) -> dict[str, str]:
    """Read creation options such as "COMPRESS=ZSTD".

    Args:
        texts: The values of a repeated option.

    Returns:
        Value by name, names in capitals.

    Raises:
        OptionError: If one has no equals sign.
    """
    pairs: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            message = f"--co {text!r} is not of the form NAME=VALUE, such as COMPRESS=ZSTD"
            raise OptionError(message)
        pairs[name.strip().upper()] = value.strip()
    return pairs
