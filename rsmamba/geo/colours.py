"""Class values from colours: label rasters that paint each class in a colour of its own."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import Colour
from rsmamba.geo.nodata import BoolArray


def pack_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Join red, green and blue into one number.

    Args:
        pixels: Red, green and blue ``(3, h, w)``.

    Returns:
        ``red * 65536 + green * 256 + blue``, ``(h, w)``.
    """
    red, green, blue = pixels.astype(np.uint32)
    return (red << 16) | (green << 8) | blue


def unpack_colour(packed: int) -> Colour:
    """Split what ``pack_colours`` joined.

    Args:
        packed: One packed colour.

    Returns:
        Red, green and blue, 0 to 255.

    Example:
        >>> unpack_colour(0x00FF10)
        (0, 255, 16)
    """
    return packed >> 16 & 255, packed >> 8 & 255, packed & 255


def decode_colours(
    pixels: NDArray[np.uint8], values: Mapping[Colour, int]
) -> tuple[NDArray[np.int64], BoolArray]:
    """Look up the value of each pixel's colour; a colour counts only if it is met exactly.

    Args:
        pixels: Red, green and blue ``(3, h, w)``.
        values: Value by colour, at least one.

    Returns:
        Values ``(h, w)``, 0 where the colour is not known, and where it is known ``(h, w)``.

    Example:
        >>> pixels = np.array([[[255, 9]], [[0, 9]], [[0, 9]]], dtype=np.uint8)
        >>> decoded, known = decode_colours(pixels, {(255, 0, 0): 5})
        >>> decoded.tolist(), known.tolist()
        ([[5, 0]], [[True, False]])
    """
    table = sorted((red << 16 | green << 8 | blue, v) for (red, green, blue), v in values.items())
    codes = np.array([code for code, _ in table], np.uint32)
    targets = np.array([value for _, value in table], np.int64)
    packed = pack_colours(pixels)
    place = np.searchsorted(codes, packed).clip(max=len(codes) - 1)
    known = codes[place] == packed
    return np.where(known, targets[place], 0), known
