"""``rsmamba train``: train a network by a configuration file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import console, options

if TYPE_CHECKING:
    from rsmamba.train import TrainResult


def train(
    config: Annotated[Path, typer.Argument(help="Configuration file, see configs/train/.")],
    *,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a value, such as trainer.epochs=3."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in the configured run folder.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Train a network on images and masks, and write its best and last model file."""
    del traceback
    from rsmamba.config import load_config
    from rsmamba.train import TrainConfig

    console.configure(quiet=quiet, verbose=1)
    changes = [*(overrides or []), *(["trainer.resume=true"] if resume else [])]
    run = load_config(config, TrainConfig, overrides=changes)
    # Takes seconds to import, so that a wrong configuration is told before.
    from rsmamba.train import fit

    result = fit(run)
    console.show(_summary(result), text=lambda: _text(result), as_json=as_json)


def _summary(result: "TrainResult") -> dict[str, Any]:
    best = result.best
    return {
        "run_dir": result.run_dir,
        "best_model": result.best_model,
        "last_model": result.last_model,
        "best_epoch": best.epoch,
        "mean_iou": best.mean_iou,
        "overall_accuracy": best.overall_accuracy,
        "seconds": best.seconds,
        "cpu_seconds": best.cpu_seconds,
    }


def _text(result: "TrainResult") -> str:
    best = result.best
    return console.facts(
        {
            "best model": f"{result.best_model}",
            "epoch": f"{best.epoch}",
            "validation mIoU": f"{best.mean_iou or 0.0:.4f}",
            "validation OA": f"{best.overall_accuracy or 0.0:.4f}",
            "next": f"rsmamba predict SCENE --model {result.best_model} --out MASK.tif",
        }
    )
