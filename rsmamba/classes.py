"""Class schemes: the names, colours and ignore index that a map and its labels share."""

import colorsys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from rsmamba.errors import OptionError

Colour = tuple[int, int, int]
IGNORE_INDEX = 255
_LONGEST_NAME = 200
# Steps of the golden ratio keep neighbouring hues apart for any number of classes.
_HUE_STEP = 0.618033988749895


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScheme:
    """Names and colours of the classes; the position in the tuple is the class index.

    Attributes:
        names: One name a class, all different.
        colours: One (red, green, blue) a class, each 0 to 255.
        ignore_index: Label value that is excluded from loss and metrics; also the nodata value of
            class maps, so it is outside the class indices.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    ignore_index: int = IGNORE_INDEX

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            OptionError: If names repeat, are empty, too long or have control characters, counts
                differ, a colour is outside 0 to 255, or the ignore index is a class index.
        """
        if not 1 <= len(self.names) <= 255:
            message = f"a class scheme has {len(self.names)} classes; give 1 to 255"
            raise OptionError(message)
        if len(set(self.names)) != len(self.names) or not all(self.names):
            message = f"class names must be different and not empty; got {list(self.names)}"
            raise OptionError(message)
        for name in self.names:
            if len(name) > _LONGEST_NAME or any(map(is_control, name)):
                message = (
                    f"class name {name[:_LONGEST_NAME]!r} has control characters or more than "
                    f"{_LONGEST_NAME} characters; give a plain name"
                )
                raise OptionError(message)
        if len(self.colours) != len(self.names):
            message = (
                f"{len(self.names)} class names and {len(self.colours)} colours; "
                "give one colour a class"
            )
            raise OptionError(message)
        for name, colour in zip(self.names, self.colours, strict=True):
            if [0 <= part <= 255 for part in colour] != [True] * 3:
                message = f"colour of class {name!r} is {colour}; give red, green, blue in 0 to 255"
                raise OptionError(message)
        if not len(self.names) <= self.ignore_index <= 255:
            message = (
                f"ignore index {self.ignore_index} must lie between the number of classes "
                f"({len(self.names)}) and 255"
            )
            raise OptionError(message)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.names)

    @classmethod
    def from_names(cls, names: Sequence[str]) -> Self:
        """Make a scheme with colours that are easy to tell apart.

        Args:
            names: One name a class.

        Returns:
            The scheme; the same names always get the same colours.

        Example:
            >>> ClassScheme.from_names(["land", "water"]).num_classes
            2
        """
        colours = tuple(_distinct_colour(index) for index in range(len(names)))
        return cls(names=tuple(names), colours=colours)

    @classmethod
    def coerce(cls, classes: "ClassScheme | Sequence[str]") -> "ClassScheme":
        """Take a scheme as it is, or make one from names.

        Args:
            classes: A scheme, or one name a class.

        Returns:
            The scheme.
        """
        return classes if isinstance(classes, ClassScheme) else cls.from_names(classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme as plain values for JSON.

        Returns:
            A dictionary that ``from_dict`` reads.
        """
        return {
            "names": list(self.names),
            "colours": [list(colour) for colour in self.colours],
            "ignore_index": self.ignore_index,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Args:
            values: The dictionary; ``colours`` may be missing.

        Returns:
            The scheme.

        Raises:
            OptionError: If a field is missing or malformed.
        """
        try:
            names = tuple(str(name) for name in values["names"])
            colours = tuple(_colour(colour) for colour in values.get("colours", ()))
            ignore_index = int(values.get("ignore_index", IGNORE_INDEX))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            message = f"not a class scheme: {error}; give names, colours and ignore_index"
            raise OptionError(message) from error
        if not colours:
            colours = tuple(_distinct_colour(index) for index in range(len(names)))
        return cls(names=names, colours=colours, ignore_index=ignore_index)


def is_control(sign: str) -> bool:
    r"""Say whether a character would upset a terminal, an XML file or a text of one line.

    Args:
        sign: One character.

    Returns:
        True for control characters, line separators, halves of surrogates and noncharacters.

    Example:
        >>> is_control("\x1b"), is_control("é")
        (True, False)
    """
    return unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or ord(sign) & 0xFFFE == 0xFFFE


def _colour(parts: Sequence[int]) -> Colour:
    red, green, blue = (int(part) for part in parts)
    return red, green, blue


def _distinct_colour(index: int) -> Colour:
    hue = (0.02 + index * _HUE_STEP) % 1.0
    saturation = (0.75, 0.55, 0.9)[index % 3]
    value = (0.9, 0.75, 0.6)[(index // 3) % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


# Official colours; the order is the one that GeoSeg and SSRS use and most papers print. torchgeo
# puts clutter first.
ISPRS_CLASSES = ClassScheme(
    names=("impervious surfaces", "building", "low vegetation", "tree", "car", "clutter"),
    colours=(
        (255, 255, 255),
        (0, 0, 255),
        (0, 255, 255),
        (0, 255, 0),
        (255, 255, 0),
        (255, 0, 0),
    ),
)
# What the noBoundary references paint over class borders; never a class.
ISPRS_UNDEFINED: Colour = (0, 0, 0)
