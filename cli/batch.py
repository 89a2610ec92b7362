"""``rsmamba batch``: many scenes in, a folder of class maps out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import console, mosaic, options
from .exit_codes import ExitCode
from .prediction import with_prediction_options

if TYPE_CHECKING:
    from rsmamba.batch import BatchResult
    from rsmamba.report.beside import Beside

# Failures that are printed; all are in the JSON summary.
_MOST_FAILURES = 50


@with_prediction_options
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Rasters, folders, globs, lists (.txt), tables (.csv), STAC (.json)."),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "--output", "-o", help="Folder of class maps.")],
    name: Annotated[
        str,
        typer.Option(help="Names in the folder; fields {folder}, {stem}, {suffix}, {number}."),
    ] = "{folder}/{stem}.tif",
    asset: Annotated[
        str | None, typer.Option(metavar="KEY", help="Asset of STAC items that is the scene.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes of this machine.")] = 1,
    threads: Annotated[
        int | None, typer.Option(help="Threads of the network in each worker [default: all].")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler (tcp://HOST:PORT, or its file)."),
    ] = None,
    resources: Annotated[
        list[str] | None,
        typer.Option("--resource", metavar="NAME=AMOUNT", help="What a task asks of Dask workers."),
    ] = None,
    arguments: dict[str, Any],
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what is done and go on; so it is anyway.")
    ] = True,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write the score of each class.")
    ] = False,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also write the score of the chosen class.")
    ] = False,
    quicklook: Annotated[
        bool, typer.Option("--quicklook", help="Also write a picture of each scene and map.")
    ] = False,
    stac: options.Stac = False,
    qml: options.Qml = False,
    overview: Annotated[
        bool, typer.Option("--overview", help="Also write a page of all maps (overview.html).")
    ] = False,
    vectors: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="Also write polygons: gpkg, parquet or geojson."),
    ] = None,
    mosaic_out: mosaic.Out = None,
    mosaic_rule: mosaic.Rule = "first",
    mosaic_crs: mosaic.Crs = None,
    mosaic_resolution: mosaic.Resolution = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    traceback: options.Traceback = False,
) -> int:
    """Segment many scenes; what is done is skipped, and no scene stops the others."""
    del traceback, resume
    console.configure(quiet=quiet, verbose=verbose)
    joined = mosaic.Wanted.parse(
        mosaic_out,
        rule=mosaic_rule,
        crs=mosaic_crs,
        resolution=mosaic_resolution,
        arguments=arguments,
    )
    joined.check(inputs, out)
    extra = {
        "probabilities": probabilities,
        "confidence": joined.adds_confidence(given=confidence),
        "quicklook": quicklook,
    }
    chosen = [kind for kind, wanted in extra.items() if wanted]
    from rsmamba.batch import run_batch

    with console.progress_bar("scenes", in_pixels=False) as advance:
        result = run_batch(
            inputs,
            out,
            name=name,
            asset=asset,
            workers=workers,
            threads=threads,
            scheduler=scheduler,
            resources=options.parse_resources(resources),
            extra=chosen if vectors is None else [*chosen, f"vectors.{vectors}"],
            progress=advance,
            **arguments,
        )
    made = joined.make(result, qml=qml)
    problems: list[str] = []
    if stac or qml or overview:
        from rsmamba.report.beside import Beside

        wanted = Beside(stac=stac, qml=qml, overview=overview)
        problems = _write_beside(result, wanted, model=arguments["model"])
    values = result.to_dict() | ({} if made is None else {"mosaic": made})
    console.show(values, text=lambda: _text(result, made), as_json=as_json)
    is_whole = not (result.counts["failed"] or problems) and mosaic.is_whole(made)
    return ExitCode.DONE if is_whole else ExitCode.FAILED


def _write_beside(result: "BatchResult", wanted: "Beside", *, model: str) -> list[str]:
    from rsmamba.models.model_header import read_header
    from rsmamba.report.beside import write_beside_batch
    from rsmamba.report.overview import Row

    rows = [
        Row(scene=scene.scene, out=scene.out, status=scene.status, reason=scene.reason)
        for scene in result.scenes
    ]
    problems = write_beside_batch(result.out, rows, wanted, model=read_header(model))
    for problem in problems:
        console.error(problem)
    return problems


def _text(result: "BatchResult", made: dict[str, Any] | None) -> str:
    rate = result.pixels / 1e6 / max(result.seconds, 1e-9)
    pairs: dict[str, str] = {status: f"{count:,}" for status, count in result.counts.items()}
    pairs["time"] = f"{console.duration_text(result.seconds)}, {rate:.2f} Mpx/s"
    pairs["wrote"] = str(result.out)
    said, left_out = mosaic.lines(made)
    pairs |= said
    failed = [scene for scene in result.scenes if scene.status == "failed"]
    rows = [[scene.scene, scene.reason] for scene in failed[:_MOST_FAILURES]]
    if len(failed) > len(rows):
        rows.append([f"and {len(failed) - len(rows)} more", "see --json"])
    lines = [console.facts(pairs)]
    if rows:
        lines += ["", "failed:", console.table(rows, flush_left=True)]
    if left_out:
        lines += ["", "not in the mosaic:", console.table(left_out, flush_left=True)]
    return "\n".join(lines)
