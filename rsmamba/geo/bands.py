"""Which bands of a scene are read: checks of ``--bidx`` and the choice when it is not given."""

from collections.abc import Sequence

from rsmamba.errors import BandError


def check_bidx(
    bidx: Sequence[int], *, count: int, num_bands: int | None = None, name: str = "the scene"
) -> tuple[int, ...]:
    """Check band numbers that somebody gave.

    Args:
        bidx: Band numbers from 1; a band may repeat.
        count: Number of bands in the file.
        num_bands: Number of bands that are needed, None for any.
        name: Name of the scene for messages.

    Returns:
        The band numbers.

    Raises:
        BandError: If there is no number, a number is not a band of the file, or they are not as
            many as needed.

    Example:
        >>> check_bidx([3, 2, 1], count=4)
        (3, 2, 1)
    """
    there_are = f"{name} has band 1" if count == 1 else f"{name} has bands 1 to {count}"
    for number in bidx:
        if not 1 <= number <= count:
            message = f"there is no band {number}: {there_are}, counted from 1; give only those"
            raise BandError(message)
    if not bidx:
        message = f"no band was given; {there_are}; give at least one"
        raise BandError(message)
    if num_bands is not None and len(bidx) != num_bands:
        message = (
            f"{len(bidx)} band numbers were given ({_listed(bidx)}) and the model takes "
            f"{num_bands}; {there_are}; give {num_bands} numbers (a band may repeat)"
        )
        raise BandError(message)
    return tuple(bidx)


def default_bidx(
    colours: Sequence[str], *, num_bands: int | None = None, name: str = "the scene"
) -> tuple[int, ...]:
    """Choose bands when nobody gave numbers.

    Three bands are red, green and blue where the file tags them, in whatever order it stores them.
    Otherwise the first bands that are not alpha are taken.

    Args:
        colours: Colour interpretation of every band of the file, such as ``"red"`` or ``"alpha"``.
        num_bands: Number of bands that are needed; None takes all that are not alpha.
        name: Name of the scene for messages.

    Returns:
        Band numbers from 1.

    Raises:
        BandError: If the file has too few bands that are not alpha.

    Example:
        >>> default_bidx(["blue", "green", "red", "alpha"], num_bands=3)
        (3, 2, 1)
    """
    data = tuple(number for number, colour in enumerate(colours, 1) if colour != "alpha")
    wanted = len(data) if num_bands is None else num_bands
    if num_bands == 3 and {"red", "green", "blue"} <= set(colours):
        red, green, blue = (colours.index(colour) + 1 for colour in ("red", "green", "blue"))
        return red, green, blue
    if not data or len(data) < wanted:
        raise BandError(_too_few(name, num_data=len(data), wanted=wanted))
    return data[:wanted]


def _too_few(name: str, *, num_data: int, wanted: int) -> str:
    bands = "1 band" if num_data == 1 else f"{num_data} bands"
    repeated = ",".join(["1"] * wanted)
    return (
        f"{name} has {bands} (alpha not counted) and the model takes {wanted}; give a scene with "
        f"{wanted}, a model for {num_data}, or repeat bands, such as --bidx {repeated}"
    )


def _listed(bidx: Sequence[int]) -> str:
    return ",".join(str(number) for number in bidx)
