"""``rsmamba data``: check data sets before training, and make small look-alikes of them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import console, options
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from rsmamba.data.isprs.check import IsprsReport

# As in rsmamba.data.isprs, which would load torch for --help.
Dataset = Literal["vaihingen", "potsdam"]
Layout = Literal["society", "torchgeo", "flat"]

data = typer.Typer(
    name="data",
    help="Check training data, or make small look-alikes of a benchmark.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@data.command()
def isprs(
    root: Annotated[Path, typer.Argument(help="Folder with the unpacked archives.")],
    *,
    dataset: Annotated[
        Dataset | None, typer.Option(help="Which data set, where the folder holds both.")
    ] = None,
    unknown: Annotated[
        Literal["fail", "ignore"],
        typer.Option(help="What a label colour outside the palette is: a fault, or no label."),
    ] = "fail",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> int:
    """Check an ISPRS Vaihingen or Potsdam folder: tiles, sizes, faults, class shares, splits."""
    del traceback
    from rsmamba.data.isprs.check import check_isprs

    console.configure(quiet=quiet)
    with console.progress_bar("tiles", in_pixels=False) as advance:
        report = check_isprs(root, dataset=dataset, unknown=unknown, advance=advance)
    for line in report.problems:
        console.error(line)
    console.show(_values(report), text=lambda: _text(report), as_json=as_json)
    return ExitCode.FAILED if report.problems else ExitCode.DONE


@data.command(name="make-isprs")
def make_isprs(
    out: Annotated[Path, typer.Argument(help="Folder to write, new or empty.")],
    *,
    dataset: Annotated[Dataset, typer.Option(help="Data set to look like.")],
    size: Annotated[int, typer.Option(help="Side of a tile, in pixels.")] = 192,
    tiles: Annotated[int, typer.Option(help="Number of tiles; 4 serve all splits.")] = 4,
    layout: Annotated[Layout, typer.Option(help="Folders and names inside.")] = "society",
    seed: Annotated[int, typer.Option(help="Seed of the tiles.")] = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Write a small made-up folder that is named and built like the real data set."""
    del traceback
    from rsmamba.data.isprs import lookalike

    console.configure(quiet=quiet)
    made = lookalike.make_isprs(
        out, dataset=dataset, size=size, tiles=tiles, layout=layout, seed=seed
    )
    console.show(
        asdict(made),
        text=lambda: console.facts(
            {
                "folder": f"{made.root}",
                "tiles": ", ".join(made.tiles),
                "files": f"{len(made.files)}",
                "next": f"rsmamba data isprs {made.root}",
            }
        ),
        as_json=as_json,
    )


def _values(report: "IsprsReport") -> dict[str, Any]:
    return {**asdict(report), "class_shares": report.class_shares, "splits": report.splits}


def _text(report: "IsprsReport") -> str:
    rows = [["tile", "size", "files", "ignored"]]
    for tile in report.tiles:
        total = sum(tile.class_pixels) + tile.ignored_pixels
        ignored = f"{tile.ignored_pixels / total:.1%}" if total else "-"
        rows.append([tile.tile, f"{tile.width} x {tile.height} px", ", ".join(tile.roles), ignored])
    shares = {name: f"{share:.2%}" for name, share in report.class_shares.items()}
    splits = {
        name: ", ".join(f"{part} {there} of {listed}" for part, (there, listed) in parts.items())
        for name, parts in report.splits.items()
    }
    faults = "no fault" if not report.problems else f"{len(report.problems)} faults, see above"
    return "\n".join(
        [
            f"{report.dataset}: {len(report.tiles)} tiles in {report.root}, {faults}",
            console.table(rows, flush_left=True),
            "\nclass shares of the full labels",
            console.facts(shares),
            "\ntiles of the splits",
            console.facts(splits),
            *(f"remark: {line}" for line in report.remarks),
        ]
    )
