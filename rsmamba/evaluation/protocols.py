"""Protocols: what a published number counted, fixed by name so that two numbers can be compared.

The ISPRS protocols share the order impervious surfaces, building, low vegetation, tree, car,
clutter. Clutter is a class of the matrix, so it counts in overall accuracy and as an error of the
others, but means are taken over the first five (as GeoSeg, SSRS and most papers print them).
"""

from dataclasses import dataclass
from typing import Literal, get_args

from rsmamba.classes import ISPRS_CLASSES, ISPRS_UNDEFINED, ClassScheme, Colour
from rsmamba.errors import OptionError
from rsmamba.metrics.boundary import check_radius

ProtocolName = Literal["all-classes", "geoseg", "ssrs", "isprs"]
_FOREGROUND = (0, 1, 2, 3, 4)
# Radius of the disc that the society's references without boundaries were made with, pixels.
ISPRS_RADIUS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What is counted.

    Attributes:
        name: Its name.
        title: One sentence for people.
        classes: Classes in order; None takes those of the map.
        mean_classes: Class indices that means are taken over; None for all.
        radii: Boundary radii that it allows, pixels, the usual one first; None for any.
        ignored_colours: Colours of label pictures that mean no class.
    """

    name: ProtocolName
    title: str
    classes: ClassScheme | None = None
    mean_classes: tuple[int, ...] | None = None
    radii: tuple[int, ...] | None = None
    ignored_colours: tuple[Colour, ...] = ()


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "all-classes": Protocol(
        name="all-classes",
        title="every class of the map counts in every score",
    ),
    "geoseg": Protocol(
        name="geoseg",
        title="GeoSeg and UNetFormer: eroded reference, means without clutter",
        classes=ISPRS_CLASSES,
        mean_classes=_FOREGROUND,
        radii=(ISPRS_RADIUS,),
        ignored_colours=(ISPRS_UNDEFINED,),
    ),
    "ssrs": Protocol(
        name="ssrs",
        title="SSRS (FTransUNet, RS3Mamba): eroded reference, means without clutter",
        classes=ISPRS_CLASSES,
        mean_classes=_FOREGROUND,
        radii=(ISPRS_RADIUS,),
        ignored_colours=(ISPRS_UNDEFINED,),
    ),
    "isprs": Protocol(
        name="isprs",
        title="ISPRS contest: full reference (or --erode 3), means without clutter",
        classes=ISPRS_CLASSES,
        mean_classes=_FOREGROUND,
        radii=(0, ISPRS_RADIUS),
        ignored_colours=(ISPRS_UNDEFINED,),
    ),
}


def choose_protocol(name: str, *, erode: int | None) -> tuple[Protocol, int]:
    """Look up a protocol and the boundary radius to use with it.

    Args:
        name: Name of the protocol.
        erode: Wanted boundary radius, pixels; None for the protocol's own.

    Returns:
        The protocol and the radius.

    Raises:
        OptionError: If there is no such protocol, or it does not allow the radius.

    Example:
        >>> choose_protocol("geoseg", erode=None)[1]
        3
    """
    protocol = next((known for known in PROTOCOLS.values() if known.name == name), None)
    if protocol is None:
        message = f"protocol {name!r} is not known; give one of {', '.join(get_args(ProtocolName))}"
        raise OptionError(message)
    radii = protocol.radii or (0,)
    radius = radii[0] if erode is None else erode
    check_radius(radius)
    if protocol.radii is not None and radius not in protocol.radii:
        allowed = " or ".join(str(allowed) for allowed in protocol.radii)
        message = (
            f"protocol {name} fixes a boundary radius of {allowed} px and {radius} was given; "
            "leave --erode out, or use --protocol all-classes"
        )
        raise OptionError(message)
    return protocol, radius
