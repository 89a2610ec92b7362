"""``rsmamba predict``: a scene in, a georeferenced class map out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import console, options
from .prediction import with_prediction_options

if TYPE_CHECKING:
    from rsmamba.prediction import PredictPlan, PredictResult


@with_prediction_options
def predict(
    scene: Annotated[str, typer.Argument(help="Raster that GDAL reads: GeoTIFF, VRT, JP2, PNG.")],
    *,
    out: Annotated[Path, typer.Option("--out", "--output", "-o", help="Class map to write.")],
    arguments: dict[str, Any],
    extra_bands: Annotated[
        list[Path] | None,
        typer.Option(
            "--extra-bands",
            metavar="RASTER",
            help="Raster of the same pixels whose bands follow, such as heights; may repeat.",
        ),
    ] = None,
    probabilities: Annotated[
        Path | None, typer.Option(help="Also write the score of each class, one band a class.")
    ] = None,
    confidence: Annotated[
        Path | None, typer.Option(help="Also write the score of the chosen class.")
    ] = None,
    quicklook: Annotated[
        Path | None, typer.Option(help="Also write a picture of scene and map (PNG).")
    ] = None,
    stac: options.Stac = False,
    qml: options.Qml = False,
    vectors: Annotated[
        Path | None,
        typer.Option(help="Also write the map as polygons (.gpkg, .parquet, .geojson)."),
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
    arguments |= {
        "extra_bands": tuple(extra_bands or ()),
        "probabilities": probabilities,
        "confidence": confidence,
        "quicklook": quicklook,
        "vectors": vectors,
    }
    if dry_run:
        from rsmamba.prediction import plan

        planned = plan(scene, out, **arguments)
        console.show(planned.to_dict(), text=lambda: _plan_text(planned), as_json=as_json)
        return
    from rsmamba.prediction import predict as predict_scene

    with console.progress_bar(Path(scene).name) as advance:
        result = predict_scene(scene, out, **arguments, progress=advance)
    if stac or qml:
        _write_beside(result, model=arguments["model"], stac=stac, qml=qml)
    console.show(result.to_dict(), text=lambda: _result_text(result), as_json=as_json)


def _write_beside(result: "PredictResult", *, model: str, stac: bool, qml: bool) -> None:
    from rsmamba.models.model_header import read_header
    from rsmamba.report.beside import Beside, write_beside_map

    extra = {
        "probabilities": result.probabilities,
        "confidence": result.confidence,
        "quicklook": result.quicklook,
    }
    write_beside_map(
        result.out,
        Beside(stac=stac, qml=qml),
        model=read_header(model),
        extra={name: path for name, path in extra.items() if path is not None},
    )


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
    notes = {"stretch": planned.stretch, "pruning": planned.pruning}
    return console.facts(pairs | {name: text for name, text in notes.items() if text})


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
    others = (result.confidence, result.quicklook, result.vectors)
    outputs = (result.out, result.probabilities, *others)
    pairs["wrote"] = ", ".join(str(path) for path in outputs if path)
    rows = [
        [name, f"{result.class_pixels[name]:,} px", f"{share:.1%}"]
        for name, share in result.class_shares.items()
    ]
    return f"{console.facts(pairs)}\n\n{console.table(rows)}"


def _listed(bidx: tuple[int, ...]) -> str:
    return ",".join(str(band) for band in bidx)
