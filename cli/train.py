"""``rsmamba train``: train a network by a configuration file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import console, options

if TYPE_CHECKING:
    from rsmamba.train import TrainPlan, TrainResult


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
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check data and memory, train one batch, print costs; write nothing."
        ),
    ] = False,
    allow_remote: options.AllowRemote = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Train a network on images and masks, and write its best and last model file."""
    del traceback
    from rsmamba.config import load_config
    from rsmamba.train import TrainConfig

    # Of the processes of a run on several devices, which all are this command, one speaks.
    silent = os.environ.get("LOCAL_RANK", "0") != "0" or os.environ.get("NODE_RANK", "0") != "0"
    console.configure(quiet=quiet or silent, verbose=1)
    changes = [*(overrides or []), *(["trainer.resume=true"] if resume else [])]
    run = load_config(config, TrainConfig, overrides=changes)
    # Takes seconds to import, so that a wrong configuration is told before.
    from rsmamba.geo.trust import remote_access
    from rsmamba.train import fit, rehearse

    with remote_access(allow_remote):
        if dry_run:
            plan = rehearse(run)
            console.show(plan.to_dict(), text=lambda: _plan_text(plan), as_json=as_json)
            return
        result = fit(run)
    console.show(_summary(result), text=lambda: _text(result), as_json=as_json and not silent)


def _plan_text(plan: "TrainPlan") -> str:
    scenes = (
        f"{plan.train_scenes} to train ({plan.train_pixels / 1e6:.1f} Mpx), "
        f"{plan.validation_scenes} to validate ({plan.validation_pixels / 1e6:.1f} Mpx), "
        f"{plan.bands} bands; {console.size_text(plan.data_bytes)} held in memory"
    )
    memory = (
        f"{console.size_text(plan.memory_bytes)} so far; "
        f"{console.size_text(plan.available_bytes)} left on this machine"
    )
    if plan.gpu_memory_bytes is not None:
        memory += f"; {console.size_text(plan.gpu_memory_bytes)} on the GPU"
    resumed = "" if plan.resumes_at_step is None else f", going on after {plan.resumes_at_step}"
    return console.facts(
        {
            "model": f"{plan.model}, {plan.parameters:,} parameters, on {plan.device}",
            "classes": ", ".join(plan.classes),
            "scenes": scenes,
            "batch": f"{plan.batch_size} chips of {plan.chip} px; loss {plan.loss:.4f}; "
            f"{console.duration_text(plan.batch_seconds)}",
            "memory": memory,
            "steps": f"{plan.steps:,} in {plan.epochs} epochs{resumed}",
            "time": f"about {console.duration_text(plan.seconds)}, "
            f"{console.duration_text(plan.validation_seconds)} of it for each validation",
            "would write": f"{plan.run_dir}",
        }
    )


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
