"""``rsmamba evaluate``: how accurate class maps are."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rsmamba.errors import OptionError

from . import console, options
from .model_accuracy import evaluate_model_file, is_model, refuse_model_options

if TYPE_CHECKING:
    from rsmamba.evaluation import AccuracyReport


def evaluate(
    prediction: Annotated[
        str,
        typer.Argument(
            metavar="MAP",
            help="Class map, folder of maps, CSV list with the columns map and reference, or a "
            "model file.",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="REFERENCE",
            help="Label raster, vector file, or folder of them; for a model the configuration of "
            "its data, such as configs/train/*.yaml or the config.json of a run.",
        ),
    ] = None,
    *,
    protocol: Annotated[
        str, typer.Option(help="What counts: all-classes, geoseg, ssrs or isprs.")
    ] = "all-classes",
    report: Annotated[
        Path | None, typer.Option(help="Write a web page with pictures; one file.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all numbers as a CSV table.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write a PDF (needs matplotlib).")] = None,
    image: Annotated[
        str | None, typer.Option(help="Image or folder to show beside, on the maps' grids.")
    ] = None,
    probabilities: Annotated[
        str | None, typer.Option(help="Scores from predict, or a folder; gives calibration.")
    ] = None,
    labels: Annotated[
        str, typer.Option(help="auto, index or colour: how class rasters are written.")
    ] = "auto",
    unknown: Annotated[
        str, typer.Option(help="fail or ignore: colours that are not in the palette.")
    ] = "fail",
    classes: Annotated[
        str | None,
        typer.Option(help="Class names like water,land, or a CSV file with name,red,green,blue."),
    ] = None,
    label_map: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE=CLASS", help="Class index of a reference value; 255 is none."),
    ] = None,
    class_field: Annotated[
        str, typer.Option(help="Attribute of vectors that holds the class.")
    ] = "class",
    erode: Annotated[
        int | None, typer.Option(help="Leave out pixels this close to class borders, pixels.")
    ] = None,
    curve: Annotated[int, typer.Option(help="Score at every boundary radius up to this.")] = 5,
    warp: Annotated[
        bool, typer.Option("--warp", help="Warp references on other grids onto the map's.")
    ] = False,
    tile: Annotated[int, typer.Option(help="Side of the tiles that intervals resample.")] = 256,
    resamples: Annotated[int, typer.Option(help="Resamples of the bootstrap intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
    allow_remote: options.AllowRemote = False,
    split: Annotated[
        str, typer.Option(help="Scenes that a model is evaluated on: train, validation or test.")
    ] = "test",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a value of the model's data configuration, such as data.root=../data.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace reports that exist.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    traceback: options.Traceback = False,
) -> None:
    """Compare class maps with references: every pixel once, with what exactly was counted."""
    del traceback
    console.configure(quiet=quiet, verbose=verbose)
    targets = {".html": report, ".csv": csv, ".pdf": pdf}
    read = [path for path in (prediction, reference, classes) if path is not None]
    _check_targets(targets, overwrite=overwrite, inputs=read)
    counting = {
        "protocol": protocol,
        "erode": erode,
        "curve": curve,
        "tile": tile,
        "resamples": resamples,
        "seed": seed,
        "pictures": report is not None or pdf is not None,
    }
    reading = {
        "image": image,
        "probabilities": probabilities,
        "classes": _classes(classes),
        "labels": labels,
        "unknown": unknown,
        "label_map": _label_map(label_map),
        "class_field": class_field,
        "warp": warp,
    }
    from rsmamba.geo.trust import remote_access

    with (
        remote_access(allow_remote),
        console.progress_bar(Path(prediction).name) as advance,
    ):
        if is_model(prediction, reference):
            found = evaluate_model_file(
                prediction,
                reference,
                overrides=overrides or [],
                reading=reading,
                split=split,
                progress=advance,
                **counting,
            )
        else:
            refuse_model_options(split=split, overrides=overrides)
            from rsmamba.evaluation import evaluate as evaluate_maps

            # Choices and ranges are checked there.
            options_of_maps: dict[str, Any] = counting | reading
            found = evaluate_maps(prediction, reference, progress=advance, **options_of_maps)
    wrote = _write(found, targets, overwrite=overwrite)
    values = found.to_dict() | {"wrote": wrote}
    console.show(values, text=lambda: _text(found, wrote), as_json=as_json)


def _check_targets(
    targets: dict[str, Path | None], *, overwrite: bool, inputs: Sequence[str]
) -> None:
    """Refuse outputs that cannot be written before any work is done."""
    from rsmamba.errors import require
    from rsmamba.geo.output import check_output

    for suffix, path in targets.items():
        if path is not None:
            check_output(path, overwrite=overwrite, inputs=inputs, suffixes=(suffix,))
    if targets[".pdf"] is not None:
        require("matplotlib", extra="report")


def _write(
    found: "AccuracyReport", targets: dict[str, Path | None], *, overwrite: bool
) -> list[str]:
    from rsmamba.report import write_csv, write_page, write_pdf

    writers = {".html": write_page, ".csv": write_csv, ".pdf": write_pdf}
    return [
        str(writers[suffix](found, path, overwrite=overwrite))
        for suffix, path in targets.items()
        if path is not None
    ]


def _classes(text: str | None) -> list[str] | str | None:
    """A CSV file by its ending, else names."""
    if text is None or text.lower().endswith(".csv"):
        return text
    return [name.strip() for name in text.split(",")]


def _label_map(texts: list[str] | None) -> dict[int, int] | None:
    pairs: dict[int, int] = {}
    for text in texts or []:
        value, _, target = text.partition("=")
        try:
            number, index = int(value), int(target)
        except ValueError as error:
            message = f"--label-map {text!r} is not of the form VALUE=CLASS, such as 6=255"
            raise OptionError(message) from error
        if pairs.setdefault(number, index) != index:
            message = f"--label-map gives {number} to {pairs[number]} and to {index}; give one"
            raise OptionError(message)
    return pairs or None


def _text(found: "AccuracyReport", wrote: list[str]) -> str:
    scores, intervals = found.scores, found.intervals
    pairs = dict(found.stamp())
    for label, name in (
        ("OA", "overall_accuracy"),
        ("mean IoU", "mean_iou"),
        ("mean F1", "mean_f1"),
    ):
        pairs[label] = f"{100 * getattr(scores, name):.2f} %{_interval(intervals, name)}"
    pairs["kappa"] = f"{scores.kappa:.4f}"
    if found.calibration is not None:
        pairs["calibration"] = f"expected error {found.calibration.expected_error:.4f}"
    if wrote:
        pairs["wrote"] = ", ".join(wrote)
    rows = [["class", "precision", "recall", "F1", "IoU", "reference px"]]
    for index, name in enumerate(found.classes.names):
        values = found.class_scores(index)
        shares = [f"{100 * values[key]:.2f}" for key in ("precision", "recall", "f1", "iou")]
        rows.append([name, *shares, f"{values['reference_pixels']:,}"])
    tables = [console.facts(pairs), console.table(rows)]
    if len(found.scenes) > 1:
        tables.append(console.table(_scene_rows(found)))
    return "\n\n".join(tables)


def _interval(intervals: Any, name: str) -> str:  # noqa: ANN401 - imported late
    if intervals is None:
        return ""
    low, high = getattr(intervals, name)
    return f" ({100 * low:.2f} to {100 * high:.2f}, 95 %)"


def _scene_rows(found: "AccuracyReport") -> list[list[str]]:
    rows = [["scene", "OA", "mean F1", "mean IoU", "scored px"]]
    for scene in found.scenes:
        scores = scene.scores
        shares = [scores.overall_accuracy, scores.mean_f1, scores.mean_iou]
        cells = [f"{100 * share:.2f}" for share in shares]
        rows.append([scene.name, *cells, f"{scene.tally.counted:,}"])
    return rows
