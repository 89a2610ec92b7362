"""``rsmamba predict``: a scene in, a georeferenced class map out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import console, options

if TYPE_CHECKING:
    from rsmamba.prediction import PredictPlan, PredictResult


def predict(
    scene: Annotated[str, typer.Argument(help="Raster that GDAL reads: GeoTIFF, VRT, JP2, PNG.")],
    *,
    out: Annotated[Path, typer.Option("--out", "--output", "-o", help="Class map to write.")],
    model: options.Model = "default",
    bidx: options.Bidx = None,
    tile: Annotated[int, typer.Option(help="Side of a tile in pixels.")] = 512,
    overlap: Annotated[int, typer.Option(help="Pixels shared by neighbouring tiles.")] = 64,
    margin: Annotated[
        int, typer.Option(help="Pixels next to inner tile edges that are not used.")
    ] = 16,
    batch_size: Annotated[
        int | None, typer.Option(help="Tiles a batch; chosen from the memory limit by default.")
    ] = None,
    device: options.Device = "auto",
    mem_limit: Annotated[
        str | None,
        typer.Option(help="Memory to use: 2GB, 512MB [default: a quarter]."),
    ] = None,
    tta: Annotated[
        str, typer.Option(help="Test-time augmentation: none, flips (4x) or d4 (8x the time).")
    ] = "none",
    prune: Annotated[
        float | None,
        typer.Option(metavar="RATIO", help="Keep this share of the tokens at each pruning step."),
    ] = None,
    prune_flops: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Drop tokens to save this share of the encoder's work."),
    ] = None,
    amp: Annotated[bool, typer.Option("--amp", help="Compute in bfloat16 where possible.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist.")
    ] = False,
    probabilities: Annotated[
        Path | None, typer.Option(help="Also write the score of each class, one band a class.")
    ] = None,
    prob_dtype: Annotated[
        str, typer.Option(help="Data type of probabilities and confidence: uint8 or float32.")
    ] = "uint8",
    confidence: Annotated[
        Path | None, typer.Option(help="Also write the score of the chosen class.")
    ] = None,
    quicklook: Annotated[
        Path | None, typer.Option(help="Also write a picture of scene and map (PNG).")
    ] = None,
    bounds: Annotated[
        str | None,
        typer.Option(metavar="LEFT,BOTTOM,RIGHT,TOP", help="Predict this part, map coordinates."),
    ] = None,
    bounds_crs: Annotated[
        str | None, typer.Option(help="CRS of --bounds, such as EPSG:4326 [default: the scene's].")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="COL,ROW,WIDTH,HEIGHT", help="Predict this part, pixels."),
    ] = None,
    aoi: Annotated[
        Path | None, typer.Option(help="Predict inside the polygons of this vector file.")
    ] = None,
    src_nodata: Annotated[
        float | None, typer.Option(help="Nodata value of the scene, over the one it states.")
    ] = None,
    unscale: Annotated[
        bool, typer.Option("--unscale", help="Apply the scale and offset stored in the scene.")
    ] = False,
    stretch: Annotated[
        str,
        typer.Option(
            help="Values of another data type than the model's: auto (2-98 %), none, LOW,HIGH."
        ),
    ] = "auto",
    ignore_gsd: Annotated[
        bool, typer.Option("--ignore-gsd", help="Accept a scene of another ground sample distance.")
    ] = False,
    resample: Annotated[
        bool, typer.Option("--resample", help="Predict at the model's ground sample distance.")
    ] = False,
    output_format: Annotated[str, typer.Option("--format", "-f", help="COG or GTiff.")] = "COG",
    creation: Annotated[
        list[str] | None,
        typer.Option("--co", metavar="NAME=VALUE", help="GDAL creation option; may repeat."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print tiles, memory, disk and time; write nothing.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    traceback: options.Traceback = False,
) -> None:
    """Segment a scene into a class map on the scene's own grid."""
    del traceback
    console.configure(quiet=quiet, verbose=verbose)
    arguments: dict[str, Any] = {
        "model": model,
        "bidx": options.parse_bidx(bidx),
        "tile": tile,
        "overlap": overlap,
        "margin": margin,
        "batch_size": batch_size,
        "device": device,
        "mem_limit": options.parse_size(mem_limit),
        "tta": tta,
        "amp": amp,
        "prune": prune,
        "prune_flops": prune_flops,
        "overwrite": overwrite,
        "probabilities": probabilities,
        "prob_dtype": prob_dtype,
        "confidence": confidence,
        "quicklook": quicklook,
        "bounds": options.parse_numbers(bounds, option="--bounds", names="LEFT,BOTTOM,RIGHT,TOP"),
        "bounds_crs": bounds_crs,
        "window": options.parse_numbers(window, option="--window", names="COL,ROW,WIDTH,HEIGHT"),
        "aoi": aoi,
        "src_nodata": src_nodata,
        "unscale": unscale,
        "stretch": stretch,
        "ignore_gsd": ignore_gsd,
        "resample": resample,
        "format": output_format,
        "co": options.parse_pairs(creation),
    }
    if dry_run:
        from rsmamba.prediction import plan

        planned = plan(scene, out, **arguments)
        console.show(planned.to_dict(), text=lambda: _plan_text(planned), as_json=as_json)
        return
    from rsmamba.prediction import predict as predict_scene

    with console.progress_bar(Path(scene).name) as advance:
        result = predict_scene(scene, out, **arguments, progress=advance)
    console.show(result.to_dict(), text=lambda: _result_text(result), as_json=as_json)


def _plan_text(planned: "PredictPlan") -> str:
    memory = f"{console.size_text(planned.memory_bytes)} above the libraries and the model"
    if planned.column_blocks > 1:
        memory += f", in {planned.column_blocks} column blocks"
    disk = f"about {console.size_text(planned.output_bytes)}"
    disk += f"; at most {console.size_text(planned.disk_bytes)} while working"
    height, width = planned.tile
    basis = "by earlier runs" if planned.speed_is_remembered else "by a trial"
    pairs = {
        "scene": f"{planned.scene}: {planned.grid.describe()}",
        "model": f"{planned.model} on {planned.device}, bands {_listed(planned.bidx)}",
        "tiles": f"{planned.tiles:,} of {width} x {height} px",
        "memory": memory,
        "disk": f"{disk}; {console.size_text(planned.disk_free_bytes)} free",
        "time": f"about {console.duration_text(planned.seconds)} {basis}, if no tile is masked",
        "would write": f"{planned.out}",
    }
    return console.facts(pairs | ({"stretch": planned.stretch} if planned.stretch else {}))


def _result_text(result: "PredictResult") -> str:
    pixels = result.num_pixels
    pairs = {
        "scene": f"{result.scene}: {result.grid.describe()}",
        "model": f"{result.model} ({result.model_hash[:12]}) on {result.device}, "
        f"bands {_listed(result.bidx)}",
        "tiles": f"{result.tiles_computed:,} computed, {result.tiles_skipped:,} masked and skipped",
        "masked": f"{result.masked_pixels:,} px, {result.masked_pixels / pixels:.1%} of the map",
        "time": f"{console.duration_text(result.seconds)}, "
        f"{result.megapixels_per_second:.2f} Mpx/s; "
        f"{result.cpu_seconds * 1e6 / pixels:.2f} CPU-seconds a Mpx",
    }
    notes = {"stretch": result.stretch, "pruning": result.pruning}
    pairs |= {name: text for name, text in notes.items() if text}
    if result.resumed_pixels:
        pairs["resumed"] = f"{result.resumed_pixels / pixels:.1%} were done by an earlier run"
    outputs = (result.out, result.probabilities, result.confidence, result.quicklook)
    pairs["wrote"] = ", ".join(str(path) for path in outputs if path)
    rows = [
        [name, f"{result.class_pixels[name]:,} px", f"{share:.1%}"]
        for name, share in result.class_shares.items()
    ]
    return f"{console.facts(pairs)}\n\n{console.table(rows)}"


def _listed(bidx: tuple[int, ...]) -> str:
    return ",".join(str(band) for band in bidx)
