"""How the maps of a batch are joined, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rasterio.errors import CRSError

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError
from rsmamba.geo.creation import Creation
from rsmamba.geo.crs import parse_crs
from rsmamba.geo.mosaic.lattice import check_resolution
from rsmamba.geo.mosaic.planning import LeftOut
from rsmamba.geo.mosaic.rules import check_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicConfig:
    """How maps are joined.

    Attributes:
        rule: What a pixel gets where maps overlap: "first", "last", "confidence" or "majority".
        crs: CRS of the mosaic, such as "EPSG:25832"; None takes that of the first map.
        resolution: Side of its pixels, CRS units; None takes that of the first map.
        creation: How a GeoTIFF is stored.
        overwrite: Replace any file of that name.
    """

    rule: str = "first"
    crs: str | None = None
    resolution: float | None = None
    creation: Creation = field(default_factory=Creation)
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check rule, CRS and resolution.

        Raises:
            OptionError: If one is not allowed.
        """
        check_rule(self.rule)
        check_resolution(self.resolution)
        if self.crs is not None:
            try:
                parse_crs(self.crs)
            except CRSError as error:
                message = f"mosaic CRS {self.crs!r} is not known; give one such as EPSG:25832"
                raise OptionError(message) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicResult:
    """Summary of a mosaic.

    Attributes:
        out: The mosaic.
        status: "done" now, or "skipped" because it is done.
        rule: Its seam rule.
        scenes: Number of maps in it.
        grid: Size, CRS and pixel size in words.
        classes: Its classes.
        resampled: Number of resampled maps by reason.
        left_out: Maps that are not in it, with reasons.
        seconds: Time that it took.
    """

    out: Path
    status: str
    rule: str
    scenes: int
    grid: str
    classes: ClassScheme
    resampled: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary.
        """
        left_out = [{"map": str(one.path), "reason": one.reason} for one in self.left_out]
        return {
            "out": str(self.out),
            "status": self.status,
            "rule": self.rule,
            "scenes": self.scenes,
            "grid": self.grid,
            "resampled": dict(self.resampled),
            "left_out": left_out,
            "seconds": self.seconds,
        }
