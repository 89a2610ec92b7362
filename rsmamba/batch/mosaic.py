"""make_mosaic: the maps of a batch as one map on one grid."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from rsmamba.batch.jobs import EXTRA_OUTPUTS
from rsmamba.batch.mosaic_result import MosaicConfig, MosaicResult
from rsmamba.batch.records import check_folder
from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, OptionError, OutputExistsError
from rsmamba.geo.crs import crs_text, parse_crs
from rsmamba.geo.environment import no_georeference_warning, quiet_gdal, raster_environment
from rsmamba.geo.kinds import class_map
from rsmamba.geo.mosaic.joining import Progress, joined_windows, write_joined
from rsmamba.geo.mosaic.planning import LeftOut, MosaicPlan, plan_mosaic
from rsmamba.geo.mosaic.rules import SEAMS, check_rule
from rsmamba.geo.mosaic.vrt_file import read_vrt_tags, write_vrt
from rsmamba.geo.output import TIFF_SUFFIXES, check_output
from rsmamba.geo.provenance import provenance_of_tags
from rsmamba.geo.writer import RasterSink
from rsmamba.prediction.config import PathLike

_LOGGER = logging.getLogger(__name__)
VRT_SUFFIX = ".vrt"
_VRT_RULES = ("first", "last")
# A VRT can move maps by whole pixels; otherwise GDAL would choose neighbours in its own way.
_VRT_RESAMPLES = frozenset({"a shifted grid"})
# A stray scene leaves a mosaic nearly empty.
_LEAST_COVERED = 0.01
_EVERYWHERE = "; pixels without a class never replace pixels with one"


def make_mosaic(
    maps: Sequence[PathLike],
    out: PathLike,
    *,
    folder: PathLike | None = None,
    progress: Progress | None = None,
    **options: Any,  # noqa: ANN401 - MosaicConfig checks them
) -> MosaicResult:
    """Join class maps of rsmamba to one class map on one grid.

    The grid has CRS, pixel size and pixel edges of the first map, unless ``crs`` or ``resolution``
    say otherwise, is north-up, and reaches as far as all maps do. Maps with other pixels are
    resampled by nearest neighbour. Pixels without a class (255) never replace pixels with one.
    Memory does not grow with the size of maps and mosaic, and by about a kilobyte a map.

    A mosaic that is there, made in the same way of the same files, is left as it is. One of other
    maps of the same folder is made again; another file is replaced with ``overwrite`` only.

    Args:
        maps: Class maps; their order is that of the rules "first" and "last", and decides ties. For
            "confidence" ``NAME_confidence.tif`` lies beside each ``NAME.tif``.
        out: The mosaic: a GeoTIFF (``.tif``), or a VRT (``.vrt``) that refers to the maps, for the
            rules "first" and "last" and maps of one CRS.
        folder: Folder of the maps, by which a mosaic of earlier maps is known again; None takes the
            deepest that holds all of them.
        progress: Called with finished and total pixels as the work goes on.
        **options: Fields of ``MosaicConfig``: rule, crs, resolution (CRS units), creation,
            overwrite.

    Returns:
        What became of it. Maps without a place on the earth are left out, with their reasons.

    Raises:
        OptionError: If an option is not allowed, the mosaic is one of the maps, it would be
            absurdly large, or a VRT cannot do it.
        DataError: If there is no map with a place, or classes differ.
        OutputExistsError: If the file exists and is no mosaic of this folder by this rule, or
            another run is writing it.
        SceneError: If a map is damaged.
        OutputError: If the mosaic cannot be written.
    """
    started = time.perf_counter()
    config = MosaicConfig(**options)
    paths = [_located(path) for path in maps]
    if not paths:
        message = "no map is done, so there is nothing to join"
        raise DataError(message)
    root = Path(folder).resolve() if folder is not None else _common_folder(paths)
    target = check_mosaic(out, folder=root, config=config)
    pairs = [
        (path, _confidence_of(path) if config.rule == "confidence" else None) for path in paths
    ]
    read = [path for pair in pairs for path in pair if path is not None]
    check_output(target, overwrite=True, inputs=read, suffixes=(*TIFF_SUFFIXES, VRT_SUFFIX))
    made_of = _hash_of(target, read)
    known = _known(target, request=_request(target, root, config), made_of=made_of)
    if known is not None and not config.overwrite:
        return known
    with raster_environment():
        crs = None if config.crs is None else parse_crs(config.crs)
        plan = plan_mosaic(pairs, crs=crs, resolution=config.resolution)
        _tell(plan)
        tags = _tags(plan, config) | {
            "mosaic_request": _request(target, root, config),
            "mosaic_made_of": made_of,
        }
        _write(target, plan, config=config, tags=tags, progress=progress)
    return _result(target, _summary(plan, config), seconds=time.perf_counter() - started)


def check_mosaic(out: PathLike, *, folder: PathLike, config: MosaicConfig) -> Path:
    """Check a mosaic before any work is done for it.

    Args:
        out: The mosaic.
        folder: Folder of the maps.
        config: How they are joined.

    Returns:
        Its absolute path.

    Raises:
        OptionError: If its name ends like another format, or a VRT cannot follow the rule.
        OutputExistsError: If it exists and is no mosaic of this folder by this rule.
        OutputError: If it cannot be written.
    """
    root, target = Path(folder).resolve(), Path(out)
    if target.suffix.lower() == VRT_SUFFIX and config.rule not in _VRT_RULES:
        message = (
            f"a VRT cannot join by {config.rule}, since GDAL draws maps over each other; give "
            f"--mosaic {target.with_suffix('.tif')}, or the rule {' or '.join(_VRT_RULES)}"
        )
        raise OptionError(message)
    if target.resolve().is_relative_to(root):
        check_folder(target.resolve().parent)
    if target.suffix.lower() not in (*TIFF_SUFFIXES, VRT_SUFFIX):
        has = f"ends in {target.suffix}" if target.suffix else "has no ending"
        message = f"mosaic {out} {has}; give a name that ends in .tif or .vrt"
        raise OptionError(message)
    target = check_output(Path(out), overwrite=True, suffixes=(*TIFF_SUFFIXES, VRT_SUFFIX))
    found = _tags_of(target).get("mosaic_request") if target.exists() else None
    if target.exists() and not config.overwrite and found != _request(target, root, config):
        message = (
            f"mosaic {target} exists already and was not made of this folder by rule "
            f"{config.rule} with these options; give another name or --overwrite"
        )
        raise OutputExistsError(message)
    return target


def _write(
    target: Path,
    plan: MosaicPlan,
    *,
    config: MosaicConfig,
    tags: Mapping[str, str],
    progress: Progress | None,
) -> None:
    rule = check_rule(config.rule)
    if target.suffix.lower() == VRT_SUFFIX:
        _check_vrt(target, plan)
        drawn = plan.sources if rule == "last" else plan.sources[::-1]
        write_vrt(target, drawn, grid=plan.grid, classes=plan.classes, tags=tags)
        return
    windows = joined_windows(
        plan.sources, plan.grid, rule=rule, num_classes=plan.classes.num_classes
    )
    with RasterSink(
        target,
        grid=plan.grid,
        kind=class_map(plan.classes),
        tags=tags,
        creation=config.creation,
        overwrite=True,
    ) as sink:
        write_joined(sink, windows, progress)


def _check_vrt(target: Path, plan: MosaicPlan) -> None:
    others = {why: count for why, count in plan.resampled.items() if why not in _VRT_RESAMPLES}
    if others:
        message = (
            f"mosaic {target} cannot be a VRT in {crs_text(plan.grid.crs)}: {_counted(others)}; "
            f"give --mosaic {target.with_suffix('.tif')}"
        )
        raise OptionError(message)
    outside = [one.path for one in plan.sources if not one.path.is_relative_to(target.parent)]
    if outside:
        _LOGGER.warning(
            "%s refers to %s, which is not in its folder; rsmamba will open it with --allow-remote "
            "only",
            target, outside[0],
        )  # fmt: skip


def _tell(plan: MosaicPlan) -> None:
    if plan.resampled:
        _LOGGER.warning(
            "%d of %d maps are resampled by nearest neighbour for the mosaic: %s",
            sum(plan.resampled.values()), len(plan.sources), _counted(plan.resampled),
        )  # fmt: skip
    if plan.covered < _LEAST_COVERED:
        _LOGGER.warning(
            "the maps cover %.2g %% of the mosaic of %s; is a scene far from the others?",
            100 * plan.covered, plan.grid.describe(),
        )  # fmt: skip


def _counted(reasons: Mapping[str, int]) -> str:
    """Say how many maps there are of each kind."""
    words = {"not north-up": "not north-up", "a shifted grid": "on a shifted grid"}
    return ", ".join(
        f"{count} {words.get(reason, f'of {reason}')}" for reason, count in reasons.items()
    )


def _tags(plan: MosaicPlan, config: MosaicConfig) -> dict[str, str]:
    return {
        "version": metadata.version("rsmamba"),
        "model": ", ".join(dict.fromkeys(plan.models.values())),
        "model_hash": ", ".join(plan.models),
        "mosaic_rule": config.rule,
        "mosaic_seams": SEAMS[check_rule(config.rule)] + _EVERYWHERE,
        "mosaic_scenes": str(len(plan.sources)),
        "mosaic_summary": json.dumps(_summary(plan, config), sort_keys=True),
    }


def _summary(plan: MosaicPlan, config: MosaicConfig) -> dict[str, Any]:
    return {
        "rule": config.rule,
        "scenes": len(plan.sources),
        "grid": plan.grid.describe(),
        "classes": plan.classes.to_dict(),
        "resampled": dict(plan.resampled),
        "left_out": [[str(one.path), one.reason] for one in plan.left_out],
    }


def _result(
    target: Path, summary: Mapping[str, Any], *, seconds: float, status: str = "done"
) -> MosaicResult:
    left_out = (LeftOut(path=Path(path), reason=why) for path, why in summary["left_out"])
    return MosaicResult(
        out=target,
        status=status,
        rule=summary["rule"],
        scenes=summary["scenes"],
        grid=summary["grid"],
        classes=ClassScheme.from_dict(summary["classes"]),
        resampled=summary["resampled"],
        left_out=tuple(left_out),
        seconds=seconds,
    )


def _known(target: Path, *, request: str, made_of: str) -> MosaicResult | None:
    """Return what an existing mosaic is, if it is the one that would be made."""
    tags = _tags_of(target) if target.exists() else {}
    if (tags.get("mosaic_request"), tags.get("mosaic_made_of")) != (request, made_of):
        return None
    try:
        return _result(target, json.loads(tags["mosaic_summary"]), seconds=0.0, status="skipped")
    except (KeyError, ValueError, TypeError):
        return None


def _tags_of(path: Path) -> dict[str, str]:
    """Read the provenance of a mosaic; nothing if it is none."""
    if path.suffix.lower() == VRT_SUFFIX:
        found = read_vrt_tags(path)
    else:
        try:
            with (
                quiet_gdal(),
                no_georeference_warning(),
                rasterio.open(path, driver="GTiff") as file,
            ):
                found = file.tags()
        except (RasterioError, CPLE_BaseError):
            return {}
    return provenance_of_tags(found)


def _request(target: Path, folder: Path, config: MosaicConfig) -> str:
    """Return a hash of what a mosaic shall be, whatever maps there are."""
    stored = asdict(config.creation)
    del stored["num_threads"]
    wanted = [os.path.relpath(folder, target.parent), config.rule, config.crs, config.resolution]
    return _digest([*wanted, stored])


def _hash_of(target: Path, paths: Iterable[Path]) -> str:
    """Return a hash of the files that a mosaic is made of, by name, size and time."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            state = path.stat()
            facts = [os.path.relpath(path, target.parent), state.st_size, state.st_mtime_ns]
        except OSError:
            facts = [str(path)]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def _digest(values: Any) -> str:  # noqa: ANN401 - plain values
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _located(path: PathLike) -> Path:
    """Return where a map is, symbolic links of its folder followed."""
    return Path(path).parent.resolve() / Path(path).name


def _confidence_of(path: Path) -> Path:
    return path.with_name(path.stem + EXTRA_OUTPUTS["confidence"])


def _common_folder(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))
