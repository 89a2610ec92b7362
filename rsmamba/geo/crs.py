"""Coordinate reference systems by name, where the name comes from a file."""

from rasterio.crs import CRS
from rasterio.errors import CRSError

from rsmamba.geo.environment import quiet_gdal
from rsmamba.geo.trust import remote_allowed


def names_a_place(text: str) -> bool:
    """Say whether GDAL would fetch or open what stands for a CRS.

    Args:
        text: A name, WKT, PROJ string or PROJJSON.

    Returns:
        True for addresses and file names.

    Example:
        >>> names_a_place("EPSG:32632"), names_a_place("http://host/crs.wkt")
        (False, True)
    """
    # WKT and PROJJSON may hold addresses as remarks.
    start = text.lstrip().split("[", 1)[0]
    is_described = start.startswith(("{", "+", "EPSG:", "OGC:", "ESRI:", "urn:"))
    return not is_described and ("/" in start or "\\" in start or "." in start)


def parse_crs(text: object) -> CRS:
    """Read a CRS, without asking a server or reading a file for it.

    Args:
        text: A name such as "EPSG:32632", WKT, PROJ string or PROJJSON.

    Returns:
        The CRS.

    Raises:
        CRSError: If it is not known, or is an address or a file and ``trust.remote_access`` is not
            given.
    """
    if isinstance(text, str) and names_a_place(text) and not remote_allowed():
        message = f"{text[:60]!r} is an address or a file, not a CRS"
        raise CRSError(message)
    with quiet_gdal():
        return CRS.from_user_input(text)


def same_crs(first: CRS | None, second: CRS | None) -> bool:
    """Say whether two CRSs are one, which files may write in different ways.

    Args:
        first: One, or None if it is unknown.
        second: The other.

    Returns:
        True if they are equal or have the same code.

    Example:
        >>> same_crs(CRS.from_epsg(4326), CRS.from_string("OGC:CRS84")), same_crs(None, None)
        (False, True)
    """
    if first is None or second is None:
        return first is second
    if first == second:
        return True
    code = first.to_authority()
    return code is not None and code == second.to_authority()


def crs_text(crs: CRS | None) -> str:
    """Return the code or the name of a CRS, for messages.

    Args:
        crs: The CRS, or None if it is unknown.

    Returns:
        Such as "EPSG:32633".

    Example:
        >>> crs_text(CRS.from_epsg(32633)), crs_text(None)
        ('EPSG:32633', 'no CRS')
    """
    if crs is None:
        return "no CRS"
    authority = crs.to_authority()
    if authority is not None:
        return ":".join(authority)
    parts = crs.to_wkt().split('"')
    return parts[1] if len(parts) > 1 else "unnamed CRS"
