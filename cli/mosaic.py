"""The mosaic of ``rsmamba batch``: its options, when it is made, and what is said of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rsmamba.errors import OptionError, RsmambaError

from . import console

if TYPE_CHECKING:
    from rsmamba.batch import BatchResult

_LOGGER = logging.getLogger("rsmamba.cli.mosaic")
# Maps that are left out and printed; all are in the JSON summary.
_MOST_LEFT_OUT = 20

Out = Annotated[
    Path | None,
    typer.Option(
        "--mosaic",
        metavar="FILE",
        help="Also join all maps to one: a GeoTIFF (.tif), or a VRT (.vrt) that refers to them.",
    ),
]
Rule = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="Which map has a pixel where maps overlap: first, last (in the order of the inputs), "
        "confidence (the highest; turns --confidence on) or majority (the commonest class; ties as "
        "first). Pixels without a class never replace others.",
    ),
]
Crs = Annotated[
    str | None,
    typer.Option(metavar="CRS", help="CRS of the mosaic [default: the first map's]."),
]
Resolution = Annotated[
    float | None,
    typer.Option(
        metavar="SIDE",
        help="Side of its pixels in units of its CRS [default: the first map's]; other pixels are "
        "resampled by nearest neighbour.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says of the mosaic.

    Attributes:
        out: The mosaic; None if none is wanted.
        options: The other arguments of ``make_mosaic``.
    """

    out: Path | None
    options: Mapping[str, Any]

    @classmethod
    def parse(
        cls,
        out: Path | None,
        *,
        rule: str,
        crs: str | None,
        resolution: float | None,
        arguments: Mapping[str, Any],
    ) -> "Wanted":
        """Read the options.

        Args:
            out: The mosaic.
            rule: Its seam rule.
            crs: Its CRS.
            resolution: Side of its pixels.
            arguments: Options of prediction, of which it takes how files are stored.

        Returns:
            What is wanted.

        Raises:
            OptionError: If there are options and no mosaic.
        """
        given = {"--mosaic-crs": crs, "--mosaic-resolution": resolution}
        idle = [name for name, value in given.items() if value is not None]
        idle += ["--mosaic-rule"] if rule != "first" else []
        if out is None and idle:
            message = f"{idle[0]} needs a mosaic; give --mosaic FILE.tif"
            raise OptionError(message)
        from rsmamba.geo.creation import Creation

        options = {
            "rule": rule,
            "crs": crs,
            "resolution": resolution,
            "creation": Creation.parse(arguments["co"], output_format=arguments["format"]),
            "overwrite": arguments["overwrite"],
        }
        return cls(out=out, options=options)

    def adds_confidence(self, *, given: bool) -> bool:
        """Say whether the confidence of every map is written, and why if nobody asked for it.

        Args:
            given: It was asked for.

        Returns:
            True if it was, or if the mosaic needs it.
        """
        needed = self.out is not None and self.options["rule"] == "confidence"
        if needed and not given:
            _LOGGER.warning("rule confidence needs the confidence of every map: --confidence is on")
        return given or needed

    def check(self, inputs: Sequence[str], folder: Path) -> None:
        """Refuse what cannot be done before any scene is predicted.

        Args:
            inputs: The inputs of the batch.
            folder: Folder of the maps.

        Raises:
            OptionError: If an option is not allowed, or the mosaic would be found as a scene.
        """
        if self.out is None:
            return
        from rsmamba.batch.mosaic import check_mosaic
        from rsmamba.batch.mosaic_result import MosaicConfig

        target = self.out.resolve()
        for given in inputs:
            if _would_find(given, target) and not target.is_relative_to(folder.resolve()):
                message = (
                    f"mosaic {self.out} lies in {given}, where the next run would take it for a "
                    f"scene; give a name outside, such as {folder / self.out.name}"
                )
                raise OptionError(message)
        check_mosaic(self.out, folder=folder, config=MosaicConfig(**self.options))

    def make(self, result: "BatchResult", *, qml: bool) -> dict[str, Any] | None:
        """Make the mosaic of the maps that are done; what goes wrong is said, not raised.

        Args:
            result: The batch.
            qml: Also write a QGIS style beside it.

        Returns:
            What became of it, as plain values; None if none is wanted.
        """
        if self.out is None:
            return None
        from rsmamba.batch.mosaic import make_mosaic
        from rsmamba.report.qgis import write_style_of

        maps = [scene.out for scene in result.scenes if scene.has_map]
        try:
            with console.progress_bar("mosaic") as advance:
                made = make_mosaic(
                    maps, self.out, folder=result.out, progress=advance, **self.options
                )
            if qml:
                write_style_of(made.out, made.classes)
        except RsmambaError as error:
            console.error(str(error))
            return {"out": str(self.out), "status": "failed", "reason": str(error)}
        return made.to_dict() | {"of": len(result.scenes)}


def is_whole(mosaic: Mapping[str, Any] | None) -> bool:
    """Say whether nothing went wrong.

    Args:
        mosaic: What became of the mosaic; None if none was wanted.

    Returns:
        True if every map that is done is in it.
    """
    return mosaic is None or (mosaic["status"] != "failed" and not mosaic["left_out"])


def lines(mosaic: Mapping[str, Any] | None) -> tuple[dict[str, str], list[list[str]]]:
    """Put what became of a mosaic in words.

    Args:
        mosaic: What became of it; None if none was wanted.

    Returns:
        Lines of the summary, and a row for each map that is left out.
    """
    if mosaic is None:
        return {}, []
    if mosaic["status"] == "failed":
        return {"mosaic": f"failed: {mosaic['reason']}"}, []
    is_done = " is done" if mosaic["status"] == "skipped" else ""
    said = (
        f"{mosaic['out']}{is_done}: {mosaic['scenes']:,} of {mosaic['of']:,} scenes, rule "
        f"{mosaic['rule']}, {mosaic['grid']}"
    )
    left_out = [[one["map"], one["reason"]] for one in mosaic["left_out"]]
    rows = left_out[:_MOST_LEFT_OUT]
    if len(left_out) > len(rows):
        rows.append([f"and {len(left_out) - len(rows)} more", "see --json"])
    return {"mosaic": said}, rows


def _would_find(given: str, path: Path) -> bool:
    """Say whether a folder or glob finds a file, once it is there."""
    root = Path(given).resolve()
    return path.is_relative_to(root) if root.is_dir() else fnmatch(str(path), str(root))
