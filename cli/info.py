"""``rsmamba info``: what a scene is like, and which kernels this machine has."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rsmamba.errors import OptionError

from . import console, options

if TYPE_CHECKING:
    from rsmamba.geo.scene import Scene
    from rsmamba.geo.statistics import SceneStatistics
    from rsmamba.ops.dispatch import BackendReport
    from rsmamba.ops.matmul import MatmulChoice


def info(
    scene: Annotated[str | None, typer.Argument(help="Raster that GDAL reads.")] = None,
    *,
    backends: Annotated[
        bool, typer.Option("--backends", help="List the kernels of every operator, with reasons.")
    ] = False,
    bidx: options.Bidx = None,
    allow_remote: options.AllowRemote = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Describe a scene: grid, bands, valid share, statistics, and what predict would do."""
    del traceback
    console.configure(quiet=quiet)
    if backends:
        from rsmamba.ops.dispatch import explain
        from rsmamba.ops.matmul import choose_matmul

        reports, matmul = explain(), choose_matmul()
        values = {
            "backends": [_report_values(report) for report in reports],
            "matmul": _report_values(matmul),
        }
        console.show(values, text=lambda: _backends_text(reports, matmul), as_json=as_json)
        return
    if scene is None:
        message = "nothing to describe; give a scene, or --backends"
        raise OptionError(message)
    from rsmamba.geo.trust import remote_access

    with remote_access(allow_remote):
        _describe(scene, bidx=options.parse_bidx(bidx), as_json=as_json)


def _describe(path: str, *, bidx: tuple[int, ...] | None, as_json: bool) -> None:
    from rsmamba.geo.environment import raster_environment
    from rsmamba.geo.scene import Scene
    from rsmamba.geo.statistics import scene_statistics

    with raster_environment(), Scene.open(path, bidx=bidx) as scene:
        statistics = scene_statistics(scene)
        prediction = _prediction(scene, bidx=bidx)
        console.show(
            _values(scene, statistics, prediction=prediction),
            text=lambda: _text(scene, statistics, prediction=prediction),
            as_json=as_json,
        )


def _prediction(scene: "Scene", *, bidx: tuple[int, ...] | None) -> str:
    """Say in one line what predict would do with the bundled model, or why it would not."""
    from rsmamba.errors import RsmambaError
    from rsmamba.geo.scene import Scene
    from rsmamba.geo.tiles import TileGrid
    from rsmamba.models import read_header

    try:
        model = read_header("default")
        with Scene.open(scene.path, bidx=bidx, num_bands=model.in_channels) as opened:
            bands = ",".join(str(band) for band in opened.bidx)
            dtype = opened.dtype
    except RsmambaError as error:
        return f"not with the bundled model: {error}"
    tiles = TileGrid(height=scene.grid.height, width=scene.grid.width, tile=512, overlap=64)
    line = f"{len(tiles):,} tiles of {tiles.tile_width} x {tiles.tile_height} px, bands {bands}"
    if model.input_dtype not in {None, dtype}:
        line += f", {dtype} stretched to {model.input_dtype}"
    return line


def _values(scene: "Scene", statistics: "SceneStatistics", *, prediction: str) -> dict[str, Any]:
    from dataclasses import asdict

    grid = scene.grid
    return {
        "path": str(scene.path),
        "driver": scene.driver,
        "width": grid.width,
        "height": grid.height,
        "grid": grid.describe(),
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "transform": list(grid.transform)[:6],
        "gsd_m": grid.gsd_m,
        "count": scene.count,
        "bidx": list(scene.bidx),
        "dtype": scene.dtype,
        "descriptions": list(scene.descriptions),
        "colours": list(scene.colours),
        "nodata": [None if value is None else str(value) for value in scene.nodata],
        "scales": list(scene.scales),
        "offsets": list(scene.offsets),
        "mask_kinds": list(scene.mask_kinds),
        "overviews": list(scene.overviews),
        "valid_share": statistics.valid_share,
        "is_exact": statistics.is_exact,
        "bands": [asdict(band) for band in statistics.bands],
        "suspected_nodata": statistics.suspected_nodata,
        "prediction": prediction,
    }


def _text(scene: "Scene", statistics: "SceneStatistics", *, prediction: str) -> str:
    how = "" if statistics.is_exact else f", estimated from {statistics.num_sampled / 1e6:.1f} Mpx"
    gsd = scene.grid.gsd_m
    pairs = {
        "scene": f"{scene.path} ({scene.driver})",
        "grid": scene.grid.describe(),
        "pixel": "size on the ground unknown" if gsd is None else f"{gsd:.4g} m",
        "bands": f"{scene.count}, {scene.dtype}: {_band_names(scene)}",
        "mask": ", ".join(scene.mask_kinds) or "none",
        "valid": f"{statistics.valid_share:.1%} of the pixels{how}",
        "storage": f"blocks of {scene.block_shape[1]} x {scene.block_shape[0]} px, "
        f"overviews {', '.join(map(str, scene.overviews)) or 'none'}",
        "predict": prediction,
    }
    if scene.has_scaling:
        pairs["scaling"] = "the file states scale and offset; --unscale applies them"
    if statistics.suspected_nodata is not None:
        pairs["remark"] = (
            f"{statistics.suspected_share:.1%} of the pixels are {statistics.suspected_nodata:g} "
            f"in every band; if that is nodata, give --src-nodata {statistics.suspected_nodata:g}"
        )
    return f"{console.facts(pairs)}\n\n{_statistics_table(scene, statistics)}"


def _band_names(scene: "Scene") -> str:
    names = [
        scene.descriptions[band - 1] or scene.colours[band - 1]
        for band in range(1, scene.count + 1)
    ]
    shown = names if len(names) <= 8 else [*names[:7], "..."]
    return ", ".join(shown)


def _statistics_table(scene: "Scene", statistics: "SceneStatistics") -> str:
    if not statistics.bands:
        return "  no pixel is valid"
    rows = [["band", "min", "2 %", "mean", "98 %", "max", "std"]]
    for number, band in zip(scene.bidx, statistics.bands, strict=True):
        values = (band.minimum, band.p2, band.mean, band.p98, band.maximum, band.std)
        rows.append([str(number), *(f"{value:.5g}" for value in values)])
    return console.table(rows)


def _report_values(report: "BackendReport | MatmulChoice") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(report)


def _backends_text(reports: "list[BackendReport]", matmul: "MatmulChoice") -> str:
    rows = [["operator", "backend", "runs here", "chosen for", "reason"]]
    rows += [
        [
            report.operator,
            report.backend,
            "yes" if report.available else "no",
            report.chosen_for or "-",
            report.reason,
        ]
        for report in reports
    ]
    products = f"linear layers on the CPU in float32: {matmul.library} ({matmul.reason})"
    return f"{console.table(rows, flush_left=True)}\n\n  {products}"
