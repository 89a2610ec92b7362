"""``rsmamba models``: the networks, what they cost, and official weights for them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console, options

if TYPE_CHECKING:
    from rsmamba.models.catalogue import ModelDetails, ModelFacts
    from rsmamba.models.pruning.levels import PruningLevels

models = typer.Typer(
    name="models",
    help="List the networks, show one, or convert official weights.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@models.callback()
def list_networks(context: typer.Context, *, as_json: options.Json = False) -> None:
    """List the networks: parameters, multiply-adds at 512 x 512, paper, licence of the weights."""
    if context.invoked_subcommand is not None:
        return
    from rsmamba.models.catalogue import DECODER_SUMMARIES, list_facts

    facts = list_facts()
    values = {"models": [asdict(entry) for entry in facts], "decoders": DECODER_SUMMARIES}
    console.show(values, text=lambda: _list_text(facts, DECODER_SUMMARIES), as_json=as_json)


@models.command()
def show(
    name: Annotated[str, typer.Argument(help="Network, encoder, or ENCODER+DECODER.")],
    *,
    size: Annotated[int, typer.Option(help="Side of the image for the counts, in pixels.")] = 512,
    as_json: options.Json = False,
    traceback: options.Traceback = False,
) -> None:
    """Show one network: sizes, options, and its cost counted in two ways."""
    del traceback
    from rsmamba.models.catalogue import describe

    details = describe(name, size=size)
    console.show(asdict(details), text=lambda: _detail_text(details), as_json=as_json)


@models.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Official .pth or .safetensors file.")],
    *,
    name: Annotated[str, typer.Option("--as", help="Encoder that the weights belong to.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .safetensors.")],
    wrapper: Annotated[
        str | None,
        typer.Option(help="Key of the weights in the file; model_ema is preferred over model."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    as_json: options.Json = False,
    traceback: options.Traceback = False,
) -> None:
    """Check official weights against an encoder and write them as a safe file."""
    del traceback
    from rsmamba.models.upstream.conversion import convert_checkpoint

    made = convert_checkpoint(checkpoint, name, out=out, wrapper=wrapper, overwrite=overwrite)
    console.show(
        asdict(made),
        text=lambda: console.facts({key: str(value) for key, value in asdict(made).items()}),
        as_json=as_json,
    )


@models.command("calibrate-pruning")
def calibrate(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    scenes: Annotated[list[str], typer.Argument(help="Scenes like those to predict.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    agreement: Annotated[
        float, typer.Option(help="Least share of pixels that keep the class of the dense map.")
    ] = 0.98,
    tile: Annotated[int, typer.Option(help="Side of a tile in pixels.")] = 512,
    most_tiles: Annotated[int, typer.Option("--tiles", help="Tiles to try, at most.")] = 64,
    device: options.Device = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    as_json: options.Json = False,
    traceback: options.Traceback = False,
) -> None:
    """Find how few tokens tiles of some content need, for ``predict --prune auto``."""
    del traceback
    from rsmamba.errors import OutputExistsError
    from rsmamba.models import load_model, save_model
    from rsmamba.prediction.calibration import calibrate_pruning

    if out.exists() and not overwrite:
        message = f"{out} exists; give another --out, or --overwrite"
        raise OutputExistsError(message)
    loaded = load_model(model, "cpu")
    tiles = {"tile": tile, "most_tiles": most_tiles}
    with console.progress_bar("tiles", in_pixels=False) as advance:
        found = calibrate_pruning(
            loaded, scenes, agreement=agreement, **tiles, device=device, progress=advance
        )
    save_model(loaded, out)
    console.show(
        asdict(found) | {"out": str(out)}, text=lambda: _levels_text(found, out), as_json=as_json
    )


def _levels_text(found: "PruningLevels", out: Path) -> str:
    limits = [f"up to {limit:.4g}" for limit in found.limits]
    rows = [["content", "keep ratio"]]
    pairs = zip([*limits, "above" if limits else "any"], found.ratios, strict=True)
    rows += [[limit, f"{ratio:.4g}"] for limit, ratio in pairs]
    notes = {
        "agreement": f"{found.reached:.2%} of the pixels of {found.num_tiles} tiles",
        "wrote": str(out),
    }
    return f"{console.table(rows, flush_left=True)}\n\n{console.facts(notes)}"


def _list_text(facts: "list[ModelFacts]", decoders: dict[str, str]) -> str:
    rows = [
        [
            "name",
            "parameters",
            "G multiply-adds",
            "multiple",
            "pruning",
            "paper",
            "licence of weights",
        ]
    ]
    rows += [
        [
            entry.name,
            f"{entry.parameters:,}",
            f"{entry.multiply_adds / 1e9:.2f}",
            str(entry.input_multiple),
            "yes" if entry.can_prune else "-",
            entry.paper,
            entry.weights_licence,
        ]
        for entry in facts
    ]
    lines = [f"  +{name:<8} {summary}" for name, summary in decoders.items()]
    return "\n".join(
        [
            console.table(rows, flush_left=True),
            "",
            "Multiply-adds of one image of 512 x 512, scans and projections counted.",
            "Where pruning says yes, rsmamba predict --prune drops tokens.",
            "An encoder segments with a decoder behind it, as in vssd_tiny+unet:",
            *lines,
        ]
    )


def _detail_text(details: "ModelDetails") -> str:
    facts = details.facts
    side = f"{details.size} x {details.size}"
    pairs = {
        "name": facts.name,
        "summary": facts.summary,
        "paper": facts.paper,
        "weights": facts.weights_licence,
        "pruning": "yes, by rsmamba predict --prune" if facts.can_prune else "no",
        "parameters": f"{facts.parameters:,}",
        "multiply-adds": f"{facts.multiply_adds / 1e9:.2f} G at {side}, projections and scans too",
    }
    if details.paper_multiply_adds_224 is not None and details.true_multiply_adds_224 is not None:
        pairs |= {
            "maps": ", ".join(
                f"{channels} channels at 1/{stride}"
                for channels, stride in zip(
                    details.out_channels or (), details.strides or (), strict=True
                )
            ),
            "classifier": f"{details.classifier_parameters:,} parameters with 1000 classes; "
            f"at 224 x 224 {details.paper_multiply_adds_224 / 1e9:.2f} G multiply-adds by the "
            f"paper's rule, {details.true_multiply_adds_224 / 1e9:.2f} G counted as above",
        }
    lines = [f"  {name} = {json.dumps(value)}" for name, value in details.options.items()]
    return "\n".join([console.facts(pairs), "", "Options, with their values here:", *lines])
