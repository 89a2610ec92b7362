"""What each method scores and costs on one split."""

import csv
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks.accuracy.contenders import UNET, read_contender
from benchmarks.accuracy.forest import count_forest, read_forest
from rsmamba.data import LabelledScene
from rsmamba.metrics import ConfusionMatrix
from rsmamba.models import SceneModel, load_model
from rsmamba.train import TrainConfig
from rsmamba.train.validation import validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One method on one split.

    Attributes:
        method: Which method.
        matrix: Counts of all labelled pixels of the split.
        parameters: Weights of a network; nodes of a forest.
        train_cpu_seconds: CPU time of training; None where no log lies beside the model file.
        predict_cpu_seconds_per_mpx: CPU time of reading and predicting, for a million pixels.
        details: What else identifies the model.
    """

    method: str
    matrix: ConfusionMatrix
    parameters: int
    train_cpu_seconds: float | None
    predict_cpu_seconds_per_mpx: float
    details: Mapping[str, Any] = field(default_factory=dict)


def measure_forest(path: Path, scenes: Sequence[LabelledScene]) -> Outcome:
    """Predict whole scenes with a forest.

    Args:
        path: Forest file.
        scenes: Scenes of the split.

    Returns:
        Scores and costs.
    """
    file = read_forest(path)
    matrix, cost = _timed(lambda: count_forest(file.forest, scenes), scenes)
    details = file.describe()
    return Outcome(
        method="forest",
        matrix=matrix,
        parameters=details["nodes"],
        train_cpu_seconds=file.cpu_seconds,
        predict_cpu_seconds_per_mpx=cost,
        details={**details, "sha256": _digest(path)},
    )


def measure_network(
    method: Literal["rsmamba", "unet"],
    path: str,
    *,
    scenes: Sequence[LabelledScene],
    config: TrainConfig,
    history: Path | None = None,
) -> Outcome:
    """Predict whole scenes with a network, in tiles as validation does.

    Args:
        method: Which network.
        path: Model file; for rsmamba also the name of a bundled model.
        scenes: Scenes of the split.
        config: Training configuration, for tile size and classes.
        history: The training run's log; None takes `history.csv` beside the model file.

    Returns:
        Scores and costs.
    """
    model = (
        read_contender(UNET, Path(path), config)
        if method == "unet"
        else load_model(path, device="cpu")
    )
    history = history or Path(path).parent / "history.csv"
    return measure_model(model, scenes=scenes, config=config, history=history, method=method)


def measure_model(
    model: SceneModel,
    *,
    scenes: Sequence[LabelledScene],
    config: TrainConfig,
    history: Path,
    method: str,
) -> Outcome:
    """Predict whole scenes with a model in memory, in tiles as validation does.

    Args:
        model: The model.
        scenes: Scenes of the split.
        config: Training configuration, for tile size and classes.
        history: The training run's log.
        method: What to call it.

    Returns:
        Scores and costs.
    """
    tile, overlap = config.trainer.validation_tile, config.trainer.validation_overlap
    _warm_up(model, tile)
    matrix, cost = _timed(lambda: validate(model, scenes, tile=tile, overlap=overlap), scenes)
    log = read_history(history)
    return Outcome(
        method=method,
        matrix=matrix,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        train_cpu_seconds=log.pop("train_cpu_seconds", None),
        predict_cpu_seconds_per_mpx=cost,
        details={
            "name": model.name,
            **log,
            "seed": config.trainer.seed,
            "tile": tile,
            "overlap": overlap,
            "fingerprint": model.fingerprint(),
        },
    )


def read_history(path: Path) -> dict[str, Any]:
    """Read what a training run says about itself.

    Args:
        path: The run's `history.csv`.

    Returns:
        `train_cpu_seconds` and `epochs` of the whole run, `best_epoch` and its
        `best_validation_miou` where any was validated; empty where there is no such file.
    """
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = rows[-1]
    run = {"train_cpu_seconds": float(last["cpu_seconds"]), "epochs": int(last["epoch"])}
    validated = [row for row in rows if row["mean_iou"]]
    if not validated:
        return run
    best = max(validated, key=lambda row: float(row["mean_iou"]))
    return {
        **run,
        "best_epoch": int(best["epoch"]),
        "best_validation_miou": float(best["mean_iou"]),
    }


def _timed(
    count: Callable[[], ConfusionMatrix], scenes: Sequence[LabelledScene]
) -> tuple[ConfusionMatrix, float]:
    """Count, and say how many CPU-seconds a million pixels took."""
    started = time.process_time()
    matrix = count()
    megapixels = sum(scene.height * scene.width for scene in scenes) / 1e6
    return matrix, (time.process_time() - started) / megapixels


def _warm_up(model: SceneModel, tile: int) -> None:
    """Predict one empty tile, so that compiling kernels is not counted."""
    with torch.inference_mode():
        model(torch.zeros(1, model.in_channels, tile, tile))


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
